// Makes wasi.wasm, the types of the interfaces of WASI 0.2, and functions.txt, a list of
// them for the tests, from the WIT that comes with jco:
//
//	npm install @bytecodealliance/jco@1.35.0
//	NODE_MODULES=$PWD/node_modules node types.mjs
import { readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

const jco = `${process.env.NODE_MODULES}/@bytecodealliance/jco`;
const { componentEmbed, componentNew } = await import(pathToFileURL(`${jco}/dist/api.js`));
const version = '0.2.12';

let source = `package realm:host;
world types {
  include wasi:cli/imports@${version};
  include wasi:http/imports@${version};
  // What guests export, for the types.
  import wasi:cli/run@${version};
  import wasi:http/incoming-handler@${version};
}
`;
const lines = [];
for (const name of ['io', 'clocks', 'random', 'filesystem', 'sockets', 'cli', 'http']) {
  const text = await readFile(`${jco}/lib/wit/builtin/${version}/wasi-${name}/package.wit`, 'utf8');
  source += text.replace(`package wasi:${name}@${version};`, `package wasi:${name}@${version} {`) + '}\n';
  list(name, text);
}

const module = await componentEmbed({ witSource: source, dummy: true, world: 'types' });
await writeFile(new URL('wasi.wasm', import.meta.url), await componentNew(module));
await writeFile(new URL('testdata/functions.txt', import.meta.url), lines.sort().join('\n') + '\n');

// list adds a line for each function and resource of a package that is stable.
function list(pkg, text) {
  let face, resource, skip;
  for (const line of text.split('\n')) {
    let m;
    if (/^\s*\/\//.test(line)) continue;
    if (/@unstable/.test(line)) skip = true;
    else if ((m = line.match(/^interface ([a-z0-9-]+)/))) {
      face = skip ? undefined : `wasi:${pkg}/${m[1]}`;
      skip = false;
    } else if (/^(world|})/.test(line)) face = skip = undefined;
    else if ((m = line.match(/^\s+resource ([a-z0-9-]+)\s*([{;])/))) {
      if (face) lines.push(`${face} resource ${m[1]}`);
      resource = m[2] === '{' ? m[1] : undefined;
    } else if (/^\s+constructor\(/.test(line)) {
      if (face) lines.push(`${face} func [constructor]${resource}`);
    } else if ((m = line.match(/^\s+%?([a-z0-9-]+):\s*(static )?func\(/))) {
      const kind = m[2] ? 'static' : 'method';
      if (face && !skip) lines.push(`${face} func ${resource ? `[${kind}]${resource}.` : ''}${m[1]}`);
      skip = false;
    } else if (/^    }|^  }/.test(line) && resource) resource = undefined;
    else if (/;/.test(line)) skip = false;
  }
}
