//! The commands of the program.

mod evidence;
mod log;
mod reconcile;

pub(crate) use evidence::{BundleArgs, ExportArgs, ReceiptArgs, bundle, export, receipt};
pub(crate) use log::{LogArgs, log};
pub(crate) use reconcile::{ReconcileArgs, reconcile};
