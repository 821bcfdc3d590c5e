// Builds the components of this folder from their sources; what it makes is committed.
//
//     npm install --prefix ../../../samples   # once: jco
//     node build.mjs [NAME]...
//
// Those in C need clang and wasm-ld; those in Rust a rustc with the target wasm32-wasi, such as Debian's
// with libstd-rust-dev-wasm32, named by RUSTC if it is not the one that is found.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { interfaces } from '../../../samples/wit.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'components-'));
const require = createRequire(join(here, '../../../samples/package.json'));
const jco = await import(require.resolve('@bytecodealliance/jco'));

const read = (...path) => readFileSync(join(here, ...path));
const files = (folder, end) => readdirSync(join(here, folder)).filter((f) => f.endsWith(end)).sort().map((f) => join(here, folder, f));

// The module in the envelope of the world in a folder's world.wit.
async function component(core, folder, adapters) {
	const witSource = `${read(folder, 'world.wit')}\n${await interfaces()}`;
	return jco.componentNew(await jco.componentEmbed({ binary: core, witSource, world: 'guest' }), adapters);
}

// WASI 0.1, made of 0.2 inside the component.
const adapter = (path) => [['wasi_snapshot_preview1', readFileSync(path)]];

function clang(folder) {
	const out = join(scratch, `${folder}.wasm`);
	execFileSync('clang', ['--target=wasm32-unknown-unknown', '-Os', '-Wall', '-Wextra', '-Werror', '-nostdlib',
		'-Wl,--no-entry', '-Wl,--strip-all', '-o', out, ...files(folder, '.c')], { stdio: 'inherit' });
	return readFileSync(out);
}

function rustc(source, ...options) {
	const out = join(scratch, 'rust.wasm');
	execFileSync(process.env.RUSTC ?? 'rustc', ['--target=wasm32-wasi', '--edition=2021', '-Copt-level=s', '-Clto', '-Ccodegen-units=1',
		'-Cpanic=abort', '-Cstrip=symbols', '-Clinker=wasm-ld', ...options, '-o', out, join(here, source)], { stdio: 'inherit' });
	return readFileSync(out);
}

const recipes = {
	http: () => component(clang('http'), 'http', []),
	'rust-command': () => jco.componentNew(rustc('rust/command.rs'), adapter(jco.preview1AdapterCommandPath())),
	'rust-web': () => component(rustc('rust/web.rs', '--crate-type=cdylib'), 'rust', adapter(jco.preview1AdapterReactorPath())),
};
// A text becomes what it says, unchecked: some are wrong on purpose.
for (const file of files('text', '.wat'))
	recipes[join('text', file.slice(join(here, 'text').length + 1, -4))] = () => jco.parse(readFileSync(file, 'utf8'));

for (const name of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(recipes)) {
	const bytes = await recipes[name]();
	writeFileSync(join(here, `${name}.wasm`), bytes);
	console.log(`${name}.wasm: ${bytes.length} bytes`);
}
