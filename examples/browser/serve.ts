/**
 * The demo page: compiles its packages unless they are there, puts them beside the page, and serves the folder as plain files:
 * `npm run example:browser`, or `npm run example:browser -- --port 8080 --out FOLDER --only reviews --no-serve`.
 */
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { preview } from 'vite';
import { compile, type CompileOptions } from '../../compiler/index.ts';

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const models = here('../../.cache/models');

/** A model once dense and once with principal keys; without its files the page leaves it out. */
interface Pair {
  readonly model: string;
  readonly principal: Pick<CompileOptions, 'attention' | 'keys' | 'plan'>;
}
const pairs: Readonly<Record<string, Pair>> = {
  reviews: { model: here('../sentiment/model'), principal: { attention: 'expand', keys: '1/4' } },
  search: { model: path.join(models, 'all-MiniLM-L6-v2'), principal: { attention: 'expand', keys: '1/2' } },
  chat: {
    model: path.join(models, 'SmolLM2-135M-Instruct/SmolLM2-135M-Instruct.Q4_1.gguf'),
    principal: { plan: here('../chat/plan.yaml') },
  },
};

const { values } = parseArgs({
  allowNegative: true,
  options: {
    out: { type: 'string', default: here('../../.cache/examples/browser') },
    port: { type: 'string', default: '8080' },
    only: { type: 'string', multiple: true },
    serve: { type: 'boolean', default: true },
  },
});
const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function compiled(name: string, { model, principal }: Pair): Promise<boolean> {
  if (!existsSync(model)) {
    say(`${name}: there is no ${path.relative('.', model)}; "npm run fetch-models" brings it. The page goes without.`);
    return false;
  }
  for (const [kind, attention] of Object.entries({ dense: { attention: 'dense' } as const, principal })) {
    const out = path.join(values.out, 'packages', `${name}-${kind}`);
    if (existsSync(path.join(out, 'manifest.json'))) continue;
    let phase = '';
    await compile({
      model,
      out,
      name: `${name}-${kind}`,
      targets: ['wasm', 'webgpu'],
      ...attention,
      onProgress: (progress) => {
        if (progress.phase !== phase) say(`${name}, ${kind}: ${(phase = progress.phase)} ...`);
      },
    });
  }
  return true;
}

await mkdir(path.join(values.out, 'packages'), { recursive: true });
const available: string[] = [];
for (const [name, pair] of Object.entries(pairs)) {
  if (values.only !== undefined && !values.only.includes(name)) continue;
  if (await compiled(name, pair)) available.push(name);
}
await cp(here('page'), values.out, { recursive: true });
const reviews = readFileSync(here('../sentiment/reviews.jsonl'), 'utf8').trim().split('\n').slice(0, 12);
const samples = {
  'Twelve reviews': reviews.map((line) => (JSON.parse(line) as { text: string }).text).join('\n\n'),
  'A scene of a play': readFileSync(here('../chat/scene.txt'), 'utf8'),
};
await writeFile(path.join(values.out, 'page.json'), JSON.stringify({ available, samples }));
if (values.serve) {
  // Cross-origin isolation gives WebAssembly its threads; without these two headers everything works with one thread.
  const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
  const server = await preview({
    root: values.out,
    build: { outDir: '.' },
    preview: { port: Number(values.port), headers },
    logLevel: 'error',
    configFile: false,
  });
  say(`${server.resolvedUrls?.local[0] ?? ''} (stop with Ctrl-C)`);
}
