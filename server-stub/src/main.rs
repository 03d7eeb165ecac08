//! The command line of `kinora-server`.

mod commands;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The server side of a streaming service: packages films, broadcasts live, delivers and recommends them, and knows who watches.
#[derive(Parser)]
#[command(name = "kinora-server", version, after_help = EXIT_CODES)]
struct Cli {
    /// How the log on standard error is written
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "text",
        env = "KINORA_LOG_FORMAT"
    )]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Account(commands::account::Account),
    Experiments(commands::experiments::Experiments),
    Import(commands::import::Import),
    Keys(commands::keys::Keys),
    Live(commands::live::Live),
    Package(commands::package::Package),
    Recommend(commands::recommend::Recommend),
    Seed(commands::seed::Seed),
    Serve(commands::serve::Serve),
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    something failed
  2    the command line makes no sense
  3    a program this needs (ffmpeg, ffprobe) is not installed
  4    the source, or what was read, cannot be used
  5    the output directory is not empty (see --force)
  6    the address cannot be listened on
  130  interrupted";

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| "warn,kinora_server=info".into());
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(ansi);
    match cli.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Account(account) => account.run().await,
            Command::Experiments(experiments) => experiments.run().await,
            Command::Import(import) => import.run().await,
            Command::Keys(keys) => keys.run().await,
            Command::Live(live) => live.run().await,
            Command::Package(package) => package.run().await,
            Command::Recommend(recommend) => recommend.run().await,
            Command::Seed(seed) => seed.run().await,
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
