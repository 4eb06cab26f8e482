//! The binary `probity` from outside: each command, each wrong input, with exit code and message.

mod diff;
mod evidence;
mod exec;
mod inputs;
mod kit;
mod known;
mod listen;
mod merge;
mod reports;
