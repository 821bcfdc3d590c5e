// Makes the .wasm beside each .wat here: npm install @bytecodealliance/jco && node build.mjs
import { parse } from '@bytecodealliance/jco';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

for (const kind of ['valid', 'invalid']) {
  for (const name of readdirSync(new URL(kind, import.meta.url)).filter((n) => n.endsWith('.wat'))) {
    const path = new URL(`${kind}/${name}`, import.meta.url);
    try {
      writeFileSync(new URL(path.href.replace(/\.wat$/, '.wasm')), await parse(readFileSync(path, 'utf8')));
    } catch (e) {
      console.error(`${kind}/${name}: ${e.payload ?? e}`);
      process.exitCode = 1;
    }
  }
}
