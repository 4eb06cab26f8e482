//! The drives: transfers at once, transfers while services are killed, transfers on a system that is wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use probity::run::{Running, Sent, Stop};
use probity::until::{Never, Probe, until};
use proptest::strategy::{Strategy as _, ValueTree};
use scenarios::ledger::{ALL, GATEWAY, LEDGER, ORCHESTRATOR, READ_MODEL, traffic};

use super::books::{Balance, Books, Kept, Line, Told};
use super::load::{Load, asked, key, told};
use super::plan::{self, ACCOUNTS, Kill, Plan};

const CASES: usize = 2;
/// Requests of one case.
const LENGTH: usize = 100;
/// More than a load of a few seconds comes to.
const LENGTH_OF_LOAD: usize = 20_000;
/// How often each service is killed.
const ROUNDS: usize = 2;
/// How many smaller plans are tried once one has failed.
const SMALLER_MAX: usize = 15;
/// A group forgets a member that was killed after three seconds.
const SETTLED_LIMIT: Duration = Duration::from_secs(20);
const READY: Duration = Duration::from_secs(15);

/// Cases of transfers at once. The first that leaves wrong books is made smaller for as long as they stay wrong.
pub(crate) async fn at_once(running: &mut Running) -> Result<(), Stop> {
    running.says(ORCHESTRATOR, traffic::FOUND, READY).await;
    let mut runner = plan::runner(super::seed());
    for _ in 0..CASES {
        let mut tree = plan::plans(LENGTH).new_tree(&mut runner).map_err(|error| Stop(error.to_string()))?;
        let found = case(running, &tree.current()).await?;
        let Some(found) = found else { continue };
        let (plan, wrong) = smallest(running, &mut tree, found).await?;
        running.expect_that("the books", "no invariant is broken", Err(format!("{wrong}\nafter {plan:?}")));
        return Ok(());
    }
    running.expect_that("the books", "no invariant is broken", Ok(()));
    Ok(())
}

/// The smallest plan found that still leaves wrong books, and what is wrong with them.
async fn smallest(
    running: &mut Running,
    tree: &mut impl ValueTree<Value = Plan>,
    found: String,
) -> Result<(Plan, String), Stop> {
    let mut smallest = (tree.current(), found);
    let mut go_on = tree.simplify();
    for _ in 0..SMALLER_MAX {
        if !go_on {
            break;
        }
        let plan = tree.current();
        go_on = match case(running, &plan).await? {
            Some(wrong) => {
                smallest = (plan, wrong);
                tree.simplify()
            }
            None => tree.complicate(),
        };
    }
    Ok(smallest)
}

/// One plan on accounts of its own. Returns what is wrong with their books.
async fn case(running: &mut Running, plan: &Plan) -> Result<Option<String>, Stop> {
    let accounts = opened(running).await;
    let told = asked_for(running, plan, &accounts).await;
    let books = settled(running, &accounts, told, SETTLED_LIMIT).await?;
    let mut wrong = books.violations();
    for account in &accounts {
        wrong.extend(shown_wrongly(running, &books, account).await);
    }
    Ok(in_words(&wrong))
}

/// Every service is killed again and again at moments of a load; in the end the books are right.
pub(crate) async fn killed(running: &mut Running) -> Result<(), Stop> {
    running.says(ORCHESTRATOR, traffic::FOUND, READY).await;
    let mut runner = plan::runner(super::seed());
    let plan = plan::any_of(&mut runner, plan::plans(LENGTH_OF_LOAD));
    let kills = plan::any_of(&mut runner, plan::kills(ROUNDS));
    let accounts = opened(running).await;
    let load = Load::new(running.client().clone(), plan, accounts.clone());
    load.gateway_is_at(running.address(GATEWAY, "main"));
    let killing = async {
        let killed = kill_all(running, &load, &kills).await;
        load.enough();
        killed
    };
    let (asked, killed) = tokio::join!(load.run(), killing);
    killed.and(asked)?;
    for service in ALL {
        running.ready(service, READY).await;
    }
    let books = settled(running, &accounts, load.told(), SETTLED_LIMIT).await?;
    let seen = in_words(&books.violations()).map_or(Ok(()), Err);
    running.expect_that("the books", "no invariant is broken", seen);
    Ok(())
}

async fn kill_all(running: &mut Running, load: &Load, kills: &[Kill]) -> Result<(), Stop> {
    for Kill { service, after, away_for } in kills {
        let decisions = load.progress().decisions + after;
        load.comes_to("decisions before a kill", |progress| progress.decisions >= decisions).await?;
        running.kill(service).await?;
        let attempts = load.progress().attempts + away_for;
        load.comes_to("attempts during a kill", |progress| progress.attempts >= attempts).await?;
        running.start(service).await?;
        if *service == GATEWAY {
            running.ready(GATEWAY, READY).await;
            load.gateway_is_at(running.address(GATEWAY, "main"));
        }
    }
    Ok(())
}

/// A ledger that loses rows of its outbox, and a read model that counts twice: both must be noticed.
pub(crate) async fn wrong(running: &mut Running) -> Result<(), Stop> {
    const LOSES: [&str; 2] = [
        "CREATE FUNCTION loses() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN IF NEW.id % 5 = 0 THEN RETURN NULL; END IF; RETURN NEW; END'",
        "CREATE TRIGGER loses BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION loses()",
    ];
    const COUNTS_TWICE: [&str; 2] = [
        "CREATE FUNCTION counts_twice() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN NEW.balance = NEW.balance + (NEW.balance - OLD.balance); RETURN NEW; END'",
        "CREATE TRIGGER counts_twice BEFORE UPDATE ON balances FOR EACH ROW EXECUTE FUNCTION counts_twice()",
    ];
    running.says(ORCHESTRATOR, traffic::FOUND, READY).await;
    for (database, statement) in
        LOSES.map(|text| (LEDGER, text)).into_iter().chain(COUNTS_TWICE.map(|text| (READ_MODEL, text)))
    {
        running.rows_in(database, statement).await.map_err(Stop)?;
    }
    let accounts = opened(running).await;
    let plan = plan::any_of(&mut plan::runner(super::seed()), plan::plans(40));
    let told = asked_for(running, &plan, &accounts).await;
    // It never settles.
    let books = settled(running, &accounts, told, Duration::from_secs(2)).await?;
    let wrong = books.violations();
    for expected in ["is not projected", "and is projected as Balance"] {
        let noticed = wrong.iter().any(|what| what.contains(expected));
        let seen = if noticed { Ok(()) } else { Err(format!("{wrong:#?}")) };
        running.expect_that(&format!("`{expected}`"), "it is noticed", seen);
    }
    Ok(())
}

/// Accounts of their own, of which the first may be negative.
async fn opened(running: &mut Running) -> Vec<String> {
    let mut accounts = Vec::with_capacity(ACCOUNTS);
    for number in 0..ACCOUNTS {
        accounts.push(traffic::opened(running, number == 0).await);
    }
    accounts
}

async fn asked_for(running: &mut Running, plan: &Plan, accounts: &[String]) -> Vec<Told> {
    // Keys of one case are no keys of another: accounts have ids of their own.
    let unique = |ask| format!("{}-{}", key(ask), accounts[0]);
    let request = |ask| {
        let asked = asked(ask, accounts);
        traffic::transfer(&unique(ask), &asked.from, &asked.to, asked.amount)
    };
    let sent = running.send_all(plan.asks.iter().map(request).collect(), plan.at_once).await;
    let told = |(ask, sent): (_, &Sent)| {
        let body = sent.answer.as_ref().map_or("", |answer| answer.body.as_str());
        told(unique(ask), asked(ask, accounts), sent.status(), body)
    };
    plan.asks.iter().zip(&sent).map(told).collect()
}

/// The books once nothing is under way any more, or as they stand when that takes too long.
async fn settled(
    running: &mut Running,
    accounts: &[String],
    told: Vec<Told>,
    limit: Duration,
) -> Result<Books, Stop> {
    let running = &*running;
    let waited = until("books that are settled", limit, async || -> Result<_, Never> {
        let seen = [
            cell(running, LEDGER, "SELECT count(*) FROM outbox").await,
            cell(running, LEDGER, "SELECT count(*) FROM entries").await,
            cell(running, READ_MODEL, "SELECT count(*) FROM entries").await,
        ];
        Ok(match &seen {
            [Ok(waiting), Ok(written), Ok(projected)] if waiting == "0" && written == projected => {
                Probe::Ready(())
            }
            seen => Probe::NotYet(format!("{seen:?}")),
        })
    });
    // What is missing then, the books say.
    _ = waited.await;
    let waiting = cell(running, LEDGER, "SELECT count(*) FROM outbox").await.map_err(Stop)?;
    Ok(Books {
        accounts: accounts.iter().enumerate().map(|(number, id)| (id.clone(), number == 0)).collect(),
        ledger: kept(running, LEDGER, accounts).await?,
        read_model: kept(running, READ_MODEL, accounts).await?,
        waiting: waiting.parse().map_err(|error| Stop(format!("rows of the outbox: {error}")))?,
        told,
    })
}

/// What a service keeps of these accounts: both have the same columns.
async fn kept(running: &Running, database: &str, accounts: &[String]) -> Result<Kept, Stop> {
    let list = accounts.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(",");
    let query = |columns: &str, table: &str| {
        format!(
            "SELECT coalesce(json_agg(found), '[]') FROM \
             (SELECT {columns} FROM {table} WHERE account_id IN ({list})) AS found"
        )
    };
    let read = async |statement: String| cell(running, database, &statement).await.map_err(Stop);
    let lines =
        read(query("entry_id, transfer_id, account_id, amount, balance, sequence", "entries")).await?;
    let balances = read(query("account_id, balance, entries", "balances")).await?;
    let unreadable = |error: serde_json::Error| Stop(format!("{database}: {error}"));
    let lines: Vec<Line> = serde_json::from_str(&lines).map_err(unreadable)?;
    let balances: Vec<Stands> = serde_json::from_str(&balances).map_err(unreadable)?;
    let balances: BTreeMap<String, Balance> =
        balances.into_iter().map(|stands| (stands.account_id, stands.balance)).collect();
    Ok(Kept { lines, balances })
}

#[derive(serde::Deserialize)]
struct Stands {
    account_id: String,
    #[serde(flatten)]
    balance: Balance,
}

async fn cell(running: &Running, database: &str, statement: &str) -> Result<String, String> {
    let rows = running.rows_in(database, statement).await?;
    rows.into_iter().flatten().flatten().next().ok_or_else(|| format!("{statement}: no value"))
}

/// What the gateway shows of an account, if it is not what the ledger says.
async fn shown_wrongly(running: &mut Running, books: &Books, account: &str) -> Option<String> {
    let stands = books.ledger.balances.get(account).copied().unwrap_or_default();
    if stands.entries == 0 {
        return None;
    }
    let sent = running.send(traffic::balance(account)).await;
    let number = |field| sent.json(field).and_then(|value| value.as_i64());
    let shown = (number("balance"), number("entries"));
    (shown != (Some(stands.balance), Some(stands.entries)))
        .then(|| format!("account {account} stands at {stands:?}, and is shown as {shown:?}"))
}

/// The first few; `None`: nothing is wrong.
fn in_words(wrong: &[String]) -> Option<String> {
    const SHOWN_MAX: usize = 6;
    let shown = wrong.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>().join("\n");
    (!wrong.is_empty()).then(|| format!("{} invariants broken:\n{shown}", wrong.len()))
}
