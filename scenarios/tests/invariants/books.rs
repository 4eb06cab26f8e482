//! The books of some accounts, as `ledger` and `read-model` keep them and as callers were told, and every way in which they can be
//! wrong.
//!
//! Pure: that it notices what is wrong is proven on broken books, beside it, and on a system that is broken on purpose.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use probity::model::Record;
use serde::Deserialize;

pub(crate) const SHORT_OF_FUNDS: &str = "insufficient funds";
pub(crate) const KEY_TAKEN: &str = "this key was used for another transfer";

/// One line of an account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Line {
    pub(crate) entry_id: String,
    pub(crate) transfer_id: String,
    pub(crate) account_id: String,
    pub(crate) amount: i64,
    pub(crate) balance: i64,
    pub(crate) sequence: i64,
}

/// What an account holds, after how many entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Balance {
    pub(crate) balance: i64,
    pub(crate) entries: i64,
}

/// Lines and balances as one service keeps them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub(crate) lines: Vec<Line>,
    pub(crate) balances: BTreeMap<String, Balance>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) amount: i64,
}

/// An answer that decides something.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) key: String,
    pub(crate) asked: Asked,
    pub(crate) status: u16,
    pub(crate) transfer_id: Option<String>,
    pub(crate) error: Option<String>,
}

/// Everything that is known of some accounts when nothing is under way any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    /// The accounts, and whether each may be negative.
    pub(crate) accounts: BTreeMap<String, bool>,
    pub(crate) ledger: Kept,
    pub(crate) read_model: Kept,
    /// Rows of the outbox.
    pub(crate) waiting: i64,
    pub(crate) told: Vec<Told>,
}

impl Books {
    /// What is wrong with them, in words. Empty: the invariants hold.
    pub(crate) fn violations(&self) -> Vec<String> {
        [self.sums(), self.chains(), self.order(), self.answers(), self.projection()].concat()
    }

    /// Double entry: what a transfer takes it gives.
    fn sums(&self) -> Vec<String> {
        let sum = |lines: &Vec<&Line>| lines.iter().map(|line| line.amount).sum::<i64>();
        let transfers = self.transfers();
        let unequal = transfers.iter().filter(|(_, lines)| sum(lines) != 0);
        unequal.map(|(id, lines)| format!("the entries of transfer {id} sum to {}", sum(lines))).collect()
    }

    /// Each account is one chain of entries, each of which stands on the one before; none below zero that must not be.
    fn chains(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (account, may_be_negative) in &self.accounts {
            let mut before = Balance::default();
            for line in self.chain(account) {
                let Line { sequence, amount, balance, .. } = *line;
                if sequence != before.entries + 1 || balance != before.balance + amount {
                    wrong.push(format!(
                        "entry {sequence} of account {account} moves {amount} and says {balance}, after {before:?}"
                    ));
                }
                if balance < 0 && !may_be_negative {
                    wrong.push(format!("account {account} holds {balance} after entry {sequence}"));
                }
                before = Balance { balance, entries: sequence };
            }
            let stands = self.ledger.balances.get(account).copied().unwrap_or_default();
            if stands != before {
                wrong.push(format!("account {account} stands at {stands:?}, its entries at {before:?}"));
            }
        }
        wrong
    }

    /// Transfers that touch the same accounts do so in one order on all of them: as if one had waited for the other.
    fn order(&self) -> Vec<String> {
        let mut behind: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut in_front: BTreeMap<&str, usize> = BTreeMap::new();
        for account in self.accounts.keys() {
            let chain: Vec<&str> = self.chain(account).iter().map(|line| line.transfer_id.as_str()).collect();
            chain.iter().for_each(|transfer| _ = in_front.entry(transfer).or_default());
            for pair in chain.windows(2) {
                behind.entry(pair[0]).or_default().push(pair[1]);
                *in_front.entry(pair[1]).or_default() += 1;
            }
        }
        let mut free: VecDeque<&str> =
            in_front.iter().filter(|(_, count)| **count == 0).map(|(transfer, _)| *transfer).collect();
        let mut ordered = 0;
        while let Some(transfer) = free.pop_front() {
            ordered += 1;
            for next in behind.get(transfer).into_iter().flatten() {
                let count = in_front.get_mut(next).expect("every transfer is counted");
                *count -= 1;
                if *count == 0 {
                    free.push_back(next);
                }
            }
        }
        match in_front.len() - ordered {
            0 => Vec::new(),
            count => vec![format!("{count} transfers cannot have been done one after the other")],
        }
    }

    /// A key stands for one transfer, whoever asks and however often; what was answered is what was done, and nothing else was.
    fn answers(&self) -> Vec<String> {
        let transfers = self.transfers();
        let mut of_key: BTreeMap<&str, Vec<&Told>> = BTreeMap::new();
        self.told.iter().for_each(|told| of_key.entry(&told.key).or_default().push(told));
        let mut wrong = Vec::new();
        let mut claimed: BTreeMap<&str, &str> = BTreeMap::new();
        for (key, told) in &of_key {
            match decision(key, told) {
                Ok(decided) => {
                    let id = decided.transfer_id.as_deref().unwrap_or_default();
                    if let Some(other) = claimed.insert(id, key) {
                        wrong.push(format!("keys {other} and {key} stand for the same transfer {id}"));
                    }
                    let lines = transfers.get(id).map(Vec::as_slice).unwrap_or_default();
                    wrong.extend(self.carried_out(decided, lines).err());
                }
                Err(why) => wrong.push(why),
            }
        }
        let unasked = transfers.keys().filter(|id| !claimed.contains_key(*id));
        wrong.extend(unasked.map(|id| format!("nobody was told of transfer {id}")));
        wrong
    }

    fn carried_out(&self, told: &Told, lines: &[&Line]) -> Result<(), String> {
        let Asked { from, to, amount } = &told.asked;
        let key = &told.key;
        let mut moved: Vec<(&str, i64)> =
            lines.iter().map(|line| (line.account_id.as_str(), line.amount)).collect();
        moved.sort_unstable();
        if !told.is_accepted() {
            if !moved.is_empty() {
                return Err(format!("key {key} was refused, and moved {moved:?}"));
            }
            let lowest = self.chain(from).iter().map(|line| line.balance).min().unwrap_or(0).min(0);
            return match lowest < *amount && !self.accounts.get(from).copied().unwrap_or_default() {
                true => Ok(()),
                false => Err(format!("key {key} was refused {amount}, which account {from} always had")),
            };
        }
        let mut expected = [(from.as_str(), -amount), (to.as_str(), *amount)];
        expected.sort_unstable();
        match moved == expected {
            true => Ok(()),
            false => Err(format!("key {key} was told {expected:?}, and moved {moved:?}")),
        }
    }

    /// The read model says what the ledger says: each entry in effect once, nothing left over, nothing made up.
    fn projection(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.waiting != 0 {
            wrong.push(format!("{} rows still wait in the outbox", self.waiting));
        }
        let projected: BTreeMap<&str, &Line> = by_id(&self.read_model.lines);
        let written = by_id(&self.ledger.lines);
        for (id, line) in &written {
            match projected.get(id) {
                Some(seen) if seen == line => {}
                Some(seen) => wrong.push(format!("entry {id} is {line:?}, and is projected as {seen:?}")),
                None => wrong.push(format!("entry {id} is not projected")),
            }
        }
        let made_up = projected.keys().filter(|id| !written.contains_key(*id));
        wrong.extend(made_up.map(|id| format!("entry {id} is projected and was never written")));
        for account in self.accounts.keys() {
            let [written, projected] = [&self.ledger, &self.read_model]
                .map(|kept| kept.balances.get(account).copied().unwrap_or_default());
            if written != projected {
                wrong.push(format!(
                    "account {account} stands at {written:?}, and is projected as {projected:?}"
                ));
            }
        }
        wrong
    }

    fn transfers(&self) -> BTreeMap<&str, Vec<&Line>> {
        let mut transfers: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
        for line in &self.ledger.lines {
            transfers.entry(&line.transfer_id).or_default().push(line);
        }
        transfers
    }

    fn chain(&self, account: &str) -> Vec<&Line> {
        let mut chain: Vec<&Line> =
            self.ledger.lines.iter().filter(|line| line.account_id == account).collect();
        chain.sort_by_key(|line| line.sequence);
        chain
    }
}

impl Told {
    fn is_accepted(&self) -> bool {
        matches!(self.status, 200 | 201)
    }

    /// Whether the transfer was decided on, or why it was not; `None`: the key is another transfer's.
    fn decides(&self) -> Result<Option<&Told>, String> {
        match (self.status, self.error.as_deref()) {
            (200 | 201, _) if self.transfer_id.is_some() => Ok(Some(self)),
            (422, Some(SHORT_OF_FUNDS)) if self.transfer_id.is_some() => Ok(Some(self)),
            (422, Some(KEY_TAKEN)) => Ok(None),
            (status, error) => Err(format!("key {} was answered {status}: {error:?}", self.key)),
        }
    }
}

/// The one decision that all answers under a key tell of.
fn decision<'t>(key: &str, told: &[&'t Told]) -> Result<&'t Told, String> {
    let mut decided: Option<&Told> = None;
    for answer in told {
        let Some(answer) = answer.decides()? else { continue };
        let same = |first: &Told| {
            (&first.asked, &first.transfer_id, first.is_accepted())
                == (&answer.asked, &answer.transfer_id, answer.is_accepted())
        };
        match decided {
            Some(first) if !same(first) => {
                return Err(format!("key {key} was answered twice: {first:?} and {answer:?}"));
            }
            _ => decided = Some(answer),
        }
    }
    let decided = decided.ok_or_else(|| format!("key {key} was never decided on"))?;
    let denied = told.iter().find(|answer| answer.error.as_deref() == Some(KEY_TAKEN));
    match denied.filter(|answer| answer.asked == decided.asked) {
        Some(_) => Err(format!("key {key} was denied to the transfer that it stands for")),
        None => Ok(decided),
    }
}

fn by_id(lines: &[Line]) -> BTreeMap<&str, &Line> {
    lines.iter().map(|line| (line.entry_id.as_str(), line)).collect()
}

/// What is wrong with the records of a topic. Each account's entries are there, keyed by it, on one partition, and whoever reads
/// along sees each for the first time in the order in which it was written. That one comes twice is no fault.
pub(crate) fn misplaced(records: &[Record], topic: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut records: Vec<&Record> = records.iter().filter(|record| record.topic == topic).collect();
    records.sort_by_key(|record| (record.partition, record.offset));
    let mut partitions: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    for record in records {
        let line: Line = match serde_json::from_str(&record.value) {
            Ok(line) => line,
            Err(error) => {
                wrong.push(format!("{} is no entry: {error}", record.place()));
                continue;
            }
        };
        if record.key.as_deref() != Some(&line.account_id) {
            wrong.push(format!("{} has the key {:?}", record.place(), record.key));
        }
        partitions.entry(line.account_id.clone()).or_default().insert(record.partition);
        let last = last.entry(line.account_id).or_default();
        if line.sequence > *last + 1 {
            wrong.push(format!("{} is entry {} of its account, after {last}", record.place(), line.sequence));
        }
        *last = line.sequence.max(*last);
    }
    let spread = partitions.iter().filter(|(_, on)| on.len() > 1);
    wrong
        .extend(spread.map(|(account, on)| format!("entries of account {account} are on partitions {on:?}")));
    wrong
}
