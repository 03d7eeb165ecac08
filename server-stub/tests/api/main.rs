//! The service over real HTTP, as a client meets it.
//!
//! What is in a `suite!` runs against the built program twice, through the gateway: with all roles in one process, and
//! with each role in a process of its own over the same data. What needs a clock to be moved, or cheap passwords, runs
//! against a service inside the test.

#![allow(clippy::unwrap_used)]

mod abuse;
mod accounts;
mod catalog;
mod delivery;
mod devices;
mod edges;
mod events;
mod experiments;
mod gateway;
mod ground;
mod license;
mod limits;
mod playback;
mod profiles;
mod rows;
mod secrets;
mod sessions;
mod world;

/// Runs each of these against one process, and against one for each role.
macro_rules! suite {
    ($($test:ident)*) => {
        mod in_one_process {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&crate::world::World::in_one_process().await).await;
            })*
        }

        mod each_role_in_its_own {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&crate::world::World::each_role_in_its_own().await).await;
            })*
        }
    };
}

use suite;
