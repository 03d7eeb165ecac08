//! The command line of `kinora-server`.

mod commands;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The server side of a streaming service: packages films and delivers them.
#[derive(Parser)]
#[command(name = "kinora-server", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Package(commands::package::Package),
    Serve(commands::serve::Serve),
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    something failed
  2    the command line makes no sense
  3    a program this needs (ffmpeg, ffprobe) is not installed
  4    the source cannot be used
  5    the output directory is not empty (see --force)
  6    the address cannot be listened on
  130  interrupted";

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| "warn,kinora_server=info".into());
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(ansi)
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Package(package) => package.run().await,
            Command::Serve(serve) => serve.run().await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
