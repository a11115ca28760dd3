//! Shared by the integration tests.
#![allow(dead_code)] // every test binary uses its own part
pub mod case;
pub mod flows;
pub mod naive;
pub mod probe;
