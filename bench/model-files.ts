/** The measured model in every form that a peer takes, made in .cache/bench. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, symlink, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ModelFiles } from './peers.ts';

/** Something that the person who measures can mend; printed as one sentence. */
export class BenchError extends Error {}

const checkout = fileURLToPath(new URL('..', import.meta.url));
const miniLmFolder = path.join(checkout, '.cache/models/all-MiniLM-L6-v2');
const cache = path.join(checkout, '.cache/bench');
const run = promisify(execFile);

async function command(program: string, args: readonly string[], what: string): Promise<string> {
  try {
    return (await run(program, args, { maxBuffer: 1 << 26, cwd: checkout })).stdout;
  } catch (error) {
    const { stderr } = error as { readonly stderr?: string };
    const reason = (stderr ?? String(error)).trim().split('\n').slice(-5).join('\n  ');
    throw new BenchError(`${what} failed:\n  ${reason}`, { cause: error });
  }
}
/** The command of this checkout. */
export const atpc = (args: readonly string[], what: string): Promise<string> =>
  command(process.execPath, [path.join(checkout, 'bin/atpc.mjs'), ...args], what);

function needed(file: string, how: string): string {
  if (existsSync(file)) return file;
  throw new BenchError(`There is no ${path.relative('.', file)}: ${how}.`);
}

/** A Python with the packages that fill.py needs, at the versions of requirements.txt. */
async function pythonFolder(): Promise<string> {
  const requirements = path.join(checkout, 'bench/requirements.txt');
  const digest = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex');
  const folder = path.join(cache, `venv-${digest.slice(0, 12)}`);
  const finished = path.join(folder, 'finished');
  if (existsSync(finished)) return folder;
  await rm(folder, { recursive: true, force: true });
  await command('python3', ['-m', 'venv', folder], 'Making a Python environment');
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements];
  await command(path.join(folder, 'bin/python'), pip, 'Installing the packages of bench/requirements.txt');
  await writeFile(finished, '');
  return folder;
}

/** The ONNX graph with the weights of the model's folder in it, by fill.py of the shared data. */
async function filledGraph(shared: string): Promise<string> {
  const [script, graph, map] = ['fill.py', 'minilm.graph.onnx', 'minilm.graph.map.json'].map((name) =>
    needed(path.join(shared, 'onnx', name), '--shared FOLDER says where the shared data of the project is'),
  ) as [string, string, string];
  const weights = path.join(miniLmFolder, 'model.safetensors');
  const hash = createHash('sha256');
  for (const file of [script, graph, map, weights]) hash.update(await readFile(file));
  const filled = path.join(cache, `minilm-${hash.digest('hex').slice(0, 12)}.onnx`);
  if (existsSync(filled)) return filled;
  const python = path.join(await pythonFolder(), 'bin/python');
  const unfinished = `${filled}.${process.pid}`;
  await command(python, [script, graph, map, weights, unfinished], 'Filling the ONNX graph');
  await rename(unfinished, filled);
  return filled;
}

async function compiledPackage(model: string, name: string): Promise<string> {
  const folder = path.join(cache, name);
  await rm(folder, { recursive: true, force: true });
  await atpc(['compile', model, '-o', folder, '--attn', 'dense', '-t', 'wasm,native', '--quiet'], `Compiling ${name}`);
  return folder;
}

/** MiniLM, dense, compiled by this checkout as it is now. */
export async function miniLmPackage(): Promise<string> {
  needed(miniLmFolder, 'run npm run fetch-models first');
  await mkdir(cache, { recursive: true });
  return compiledPackage(miniLmFolder, 'minilm-dense');
}

/** MiniLM for every peer. */
export async function miniLmFiles(shared: string): Promise<ModelFiles> {
  for (const name of ['onnxruntime-web', 'onnxruntime-node']) {
    needed(path.join(checkout, 'bench/node_modules', name), 'run npm ci --ignore-scripts --prefix bench first');
  }
  return { package: await miniLmPackage(), graph: await filledGraph(shared) };
}

/**
 * MiniLM's weights read as 6 heads of 64 instead of 12 of 32: a model that says nothing, but whose kernels do the work of a
 * model with such heads.
 */
export async function wideHeadsPackage(): Promise<string> {
  needed(miniLmFolder, 'run npm run fetch-models first');
  const folder = path.join(cache, 'minilm-heads-64-model');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(miniLmFolder)) {
    if (name !== 'config.json') await symlink(path.join(miniLmFolder, name), path.join(folder, name));
  }
  const config = JSON.parse(await readFile(path.join(miniLmFolder, 'config.json'), 'utf8')) as Record<string, unknown>;
  await writeFile(path.join(folder, 'config.json'), JSON.stringify({ ...config, num_attention_heads: 6 }));
  return compiledPackage(folder, 'minilm-heads-64');
}
