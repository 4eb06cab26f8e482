//! Books that are wrong are noticed: each invariant broken once, on books that are right otherwise.

use libtest_mimic::{Failed, Trial};
use probity::model::Record;

use super::books::*;

const BANK: &str = "bank";
const ANN: &str = "ann";
const BEN: &str = "ben";

/// A way to break the books, and words of what must be said of them.
type Break = (&'static str, fn(&mut Books), &'static str);

const BREAKS: &[Break] = &[
    (
        "money_out_of_nothing",
        |books| {
            // The account itself is consistent: only the other side of the transfer is short.
            let last = books.ledger.lines.iter_mut().rfind(|line| line.account_id == BEN);
            last.expect("he has lines").amount += 5;
            books.ledger.lines.iter_mut().rfind(|line| line.account_id == BEN).expect("one").balance += 5;
            books.ledger.balances.get_mut(BEN).expect("he has a balance").balance += 5;
        },
        "sum to 5",
    ),
    (
        "a_negative_balance",
        |books| {
            books.accounts.insert(BANK.into(), false);
        },
        "account bank holds -100 after entry 1",
    ),
    (
        "a_lost_update",
        |books| {
            // Both read the same balance, and one wrote over the other.
            let line =
                books.ledger.lines.iter_mut().find(|line| line.account_id == ANN && line.sequence == 2);
            line.expect("she has two lines").sequence = 1;
        },
        "entry 1 of account ann moves -30 and says 70",
    ),
    (
        "a_balance_that_is_not_its_entries",
        |books| books.ledger.balances.get_mut(ANN).expect("she has a balance").balance = 71,
        "account ann stands at Balance { balance: 71, entries: 2 }",
    ),
    (
        "two_orders_of_the_same_transfers",
        |books| {
            let place = |books: &mut Books, transfer: &str, account: &str, sequence: i64| {
                let lines = &mut books.ledger.lines;
                let line = lines.iter_mut().find(|it| it.transfer_id == transfer && it.account_id == account);
                line.expect("it is there").sequence = sequence;
            };
            // t1: bank to ann, t3: ann to bank as well; the bank saw t3 first.
            book(books, "t3", "k3", (ANN, 3), (BANK, 2), 10);
            place(books, "t1", BANK, 2);
            place(books, "t3", BANK, 1);
        },
        "3 transfers cannot have been done one after the other",
    ),
    (
        "one_key_and_two_transfers",
        |books| {
            let mut again = books.told[0].clone();
            again.transfer_id = Some("t9".into());
            books.told.push(again);
        },
        "key k1 was answered twice",
    ),
    (
        "one_key_and_two_amounts",
        |books| {
            let mut again = books.told[0].clone();
            again.asked.amount = 7;
            books.told.push(again);
        },
        "key k1 was answered twice",
    ),
    (
        "a_key_that_is_denied_to_its_own_transfer",
        |books| {
            let denied = Told { status: 422, error: Some(KEY_TAKEN.into()), ..books.told[0].clone() };
            books.told.push(denied);
        },
        "key k1 was denied to the transfer that it stands for",
    ),
    (
        "two_keys_and_one_transfer",
        |books| {
            let other = Told { key: "k8".into(), ..books.told[0].clone() };
            books.told.push(other);
        },
        "keys k1 and k8 stand for the same transfer t1",
    ),
    (
        "an_accepted_transfer_that_was_not_made",
        |books| {
            let told = Told { key: "k8".into(), transfer_id: Some("t8".into()), ..books.told[0].clone() };
            books.told.push(told);
        },
        "key k8 was told [(\"ann\", 100), (\"bank\", -100)], and moved []",
    ),
    (
        "a_refused_transfer_that_was_made",
        |books| {
            let told = &mut books.told[1];
            (told.status, told.error) = (422, Some(SHORT_OF_FUNDS.into()));
        },
        "key k2 was refused, and moved",
    ),
    (
        "a_refusal_of_what_was_allowed",
        |books| {
            let refused = Told {
                key: "k8".into(),
                status: 422,
                error: Some(SHORT_OF_FUNDS.into()),
                transfer_id: Some("t8".into()),
                ..books.told[0].clone()
            };
            books.told.push(refused);
        },
        "key k8 was refused 100, which account bank always had",
    ),
    ("a_transfer_that_nobody_asked_for", |books| _ = books.told.pop(), "nobody was told of transfer t2"),
    (
        "an_answer_that_decides_nothing",
        |books| {
            books.told[1].status = 503;
            books.told[1].error = Some("not decided".into());
        },
        "key k2 was answered 503",
    ),
    ("a_row_that_was_left_behind", |books| books.waiting = 1, "1 rows still wait in the outbox"),
    ("a_lost_record", |books| _ = books.read_model.lines.pop(), "is not projected"),
    (
        "a_record_that_counts_twice",
        |books| {
            let balance = books.read_model.balances.get_mut(BEN).expect("he has a balance");
            *balance = Balance { balance: 60, entries: 2 };
        },
        "account ben stands at Balance { balance: 30, entries: 1 }, and is projected as Balance { balance: 60, entries: 2 }",
    ),
    (
        "an_entry_that_is_made_up",
        |books| books.ledger.lines.retain(|line| line.account_id != BEN),
        "is projected and was never written",
    ),
    (
        "an_entry_that_changed_on_its_way",
        |books| books.read_model.lines[0].balance += 1,
        "and is projected as",
    ),
];

pub(crate) fn trials() -> Vec<Trial> {
    let broken = BREAKS.iter().map(|(name, change, expected)| {
        Trial::test(format!("books::{name}_is_noticed"), move || {
            let mut books = right();
            change(&mut books);
            let wrong = books.violations();
            match wrong.iter().any(|what| what.contains(expected)) {
                true => Ok(()),
                false => Err(format!("`{expected}` is not among {wrong:#?}").into()),
            }
        })
    });
    let right = Trial::test("books::that_are_right_are_right", || nothing(&right().violations()));
    let topic = Trial::test("books::records_out_of_order_are_noticed", records_out_of_order);
    broken.chain([right, topic]).collect()
}

fn nothing(wrong: &[String]) -> Result<(), Failed> {
    if wrong.is_empty() { Ok(()) } else { Err(format!("{wrong:#?}").into()) }
}

/// The bank gives Ann 100, she gives Ben 30.
fn right() -> Books {
    let mut books = Books {
        accounts: [(BANK, true), (ANN, false), (BEN, false)].map(|(id, may)| (id.to_string(), may)).into(),
        ..Books::default()
    };
    book(&mut books, "t1", "k1", (BANK, 1), (ANN, 1), 100);
    book(&mut books, "t2", "k2", (ANN, 2), (BEN, 1), 30);
    books.read_model = books.ledger.clone();
    books
}

/// Books a transfer in the ledger, and tells of it.
fn book(books: &mut Books, id: &str, key: &str, from: (&str, i64), to: (&str, i64), amount: i64) {
    for ((account, sequence), amount) in [(from, -amount), (to, amount)] {
        let stands = books.ledger.balances.entry(account.into()).or_default();
        *stands = Balance { balance: stands.balance + amount, entries: stands.entries + 1 };
        books.ledger.lines.push(Line {
            entry_id: format!("{id}/{account}"),
            transfer_id: id.into(),
            account_id: account.into(),
            amount,
            balance: stands.balance,
            sequence,
        });
    }
    books.told.push(Told {
        key: key.into(),
        asked: Asked { from: from.0.into(), to: to.0.into(), amount },
        status: 201,
        transfer_id: Some(id.into()),
        error: None,
    });
}

fn records_out_of_order() -> Result<(), Failed> {
    const TOPIC: &str = "entries";
    let record = |(offset, (partition, sequence)): (usize, &(i32, i64))| Record {
        topic: TOPIC.into(),
        partition: *partition,
        offset: offset as i64,
        key: Some(ANN.into()),
        value: format!(
            r#"{{"entry_id":"{sequence}","transfer_id":"t","account_id":"ann","amount":1,"balance":1,"sequence":{sequence}}}"#
        ),
        ..Record::default()
    };
    let wrong = |sequences: &[(i32, i64)]| {
        let records: Vec<Record> = sequences.iter().enumerate().map(record).collect();
        misplaced(&records, TOPIC).join("; ")
    };
    // A relay that was killed begins anew with what it had not removed.
    nothing(&misplaced(
        &[(0, 1), (0, 2), (0, 1), (0, 2), (0, 3)].iter().enumerate().map(record).collect::<Vec<_>>(),
        TOPIC,
    ))?;
    for (sequences, expected) in [
        (&[(0, 1), (0, 3), (0, 2)][..], "is entry 3 of its account, after 1"),
        (&[(0, 2)], "is entry 2 of its account, after 0"),
        (&[(0, 1), (1, 2)], "are on partitions"),
    ] {
        let seen = wrong(sequences);
        if !seen.contains(expected) {
            return Err(format!("`{expected}` is not in `{seen}`").into());
        }
    }
    Ok(())
}
