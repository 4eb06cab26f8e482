//! Backends in containers: what happens to them, that none outlives its run, and one message for each way not to start.
//!
//! Where there is no engine, or an image is not here, the tests that need them are ignored, with the reason. The others ask
//! an engine that is made up. Kafka's are in `kafka.rs`, beside those of the other providers.

#[path = "containers/claims.rs"]
mod claims;
#[path = "containers/endings.rs"]
mod endings;
#[path = "containers/fake.rs"]
mod fake;
#[path = "containers/messages.rs"]
mod messages;
#[path = "containers/victim.rs"]
mod victim;

use std::{future::Future, process::ExitCode};

use libtest_mimic::{Arguments, Trial};
use probity::{
    backend::{Kind, doctor},
    process::serve_hidden_subcommands,
};

fn main() -> ExitCode {
    if let Some(role) = std::env::args().nth(1).as_deref().and_then(|word| word.strip_prefix("victim:")) {
        return victim::main(role);
    }
    serve_hidden_subcommands();
    let arguments = Arguments::from_args();
    let missing =
        [Kind::Etcd, Kind::Postgres].into_iter().find_map(|kind| doctor::container_is_here(kind).err());
    if let Some(missing) = &missing {
        eprintln!("tests in containers are ignored: {missing}; see ci/setup-images");
    }
    let real = vec![
        trial("etcd::ends_keep_address_and_data", claims::etcd_ends_keep_address_and_data),
        trial("etcd::faults_do_not_blind_the_harness", claims::etcd_faults_do_not_blind_the_harness),
        trial("postgres::ends_keep_address_and_data", claims::postgres_ends_keep_address_and_data),
        trial("postgres::faults_are_seen_by_services", claims::postgres_faults_are_seen_by_services),
        trial("an_image_without_the_program_is_one_message", claims::an_image_without_the_program),
        trial("two_of_one_run_are_apart_and_both_go", claims::two_of_one_run),
        trial("a_plain_return_leaves_no_container", || endings::ends_by_itself("return")),
        trial("a_panic_leaves_no_container", || endings::ends_by_itself("panic")),
        trial("an_exit_leaves_no_container", || endings::ends_by_itself("exit")),
        trial("sigint_leaves_no_container", || endings::ends_by_signal(probity::process::Signal::INT)),
        trial("sigkill_leaves_no_container", || endings::ends_by_signal(probity::process::Signal::KILL)),
        trial("what_a_massacre_left_goes_when_the_next_run_starts", endings::the_next_run_sweeps),
    ];
    let real = real.into_iter().map(|trial| match &missing {
        Some(missing) => trial.with_kind(missing.clone()).with_ignored_flag(true),
        None => trial,
    });
    let made_up = vec![
        trial("no_engine_is_one_message_at_once", messages::no_engine),
        trial("a_socket_without_an_engine_is_one_message_at_once", messages::nobody_listens),
        trial("an_engine_that_does_not_answer_is_one_message", messages::a_silent_engine),
        trial("an_old_engine_is_one_message_at_once", messages::an_old_engine),
        trial("an_image_that_cannot_be_pulled_is_one_message_at_once", messages::an_unknown_image),
        trial("the_doctor_says_what_is_missing", messages::the_doctor),
    ];
    libtest_mimic::run(&arguments, real.chain(made_up).collect()).exit_code()
}

fn trial<F: Future<Output = ()>>(name: &str, body: impl FnOnce() -> F + Send + 'static) -> Trial {
    Trial::test(name, || {
        tokio::runtime::Runtime::new()?.block_on(body());
        Ok(())
    })
}
