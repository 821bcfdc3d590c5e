//! A command with the standard library of Rust: the first argument says what it does.
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs, process, thread};

include!("realloc.rs");

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["args", ref rest @ ..] => println!("{:?}", rest),
        ["env"] => {
            let mut all: Vec<_> = env::vars().collect();
            all.sort();
            for (name, value) in all {
                println!("{}={}", name, value);
            }
        }
        ["cat"] => {
            io::copy(&mut io::stdin(), &mut io::stdout())?;
        }
        ["upper"] => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text)?;
            print!("{}", text.to_uppercase());
        }
        ["stderr", text] => eprintln!("{}", text),
        ["exit", code] => process::exit(code.parse().unwrap()),
        ["panic"] => panic!("on purpose"),
        ["read", file] => io::stdout().write_all(&fs::read(file)?)?,
        ["write", file, text] => fs::write(file, text)?,
        ["append", file, text] => fs::OpenOptions::new().append(true).create(true).open(file)?.write_all(text.as_bytes())?,
        ["list", folder] => {
            let mut names: Vec<_> = fs::read_dir(folder)?.map(|e| e.map(|e| e.file_name())).collect::<Result<_, _>>()?;
            names.sort();
            println!("{:?}", names);
        }
        ["mkdir", folder] => fs::create_dir(folder)?,
        ["rename", from, to] => fs::rename(from, to)?,
        ["remove", file] => fs::remove_file(file)?,
        ["size", file] => println!("{}", fs::metadata(file)?.len()),
        ["clock"] => {
            let (start, wall) = (Instant::now(), SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap());
            println!("{}", start.elapsed() < Duration::from_secs(60) && wall.as_secs() > 1_700_000_000);
        }
        ["sleep", ms] => thread::sleep(Duration::from_millis(ms.parse().unwrap())),
        ["random"] => {
            // Maps are seeded at random: their order differs between two runs.
            let map: HashMap<u32, ()> = (0..64).map(|n| (n, ())).collect();
            println!("{:?}", map.keys().collect::<Vec<_>>());
        }
        ["fill", megabytes] => {
            let all: Vec<Vec<u8>> = (0..megabytes.parse().unwrap()).map(|n: u32| vec![n as u8; 1 << 20]).collect();
            println!("{}", all.iter().map(|v| v[v.len() / 2] as u64).sum::<u64>());
        }
        ["loop"] => loop {
            std::hint::spin_loop();
        },
        _ => {
            eprintln!("what is {:?}?", args);
            process::exit(2)
        }
    }
    Ok(())
}
