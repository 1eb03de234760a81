/** What the hand-written packages do alike on every backend with kernels of its own: native, CUDA and WebGPU, in Node. */
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Model, StepTime } from '../../runtime/api.ts';
import { expectedAnswer } from './tiny-generator.ts';
import { expectedLogits, loadTiny, type TemporaryFolder } from './tiny-package.ts';

export type KernelBackend = 'native' | 'cuda' | 'webgpu';
/** Of the package: two tokens between the marks. */
export const ids = [[2, 4, 6, 3]];
export const rounds = (count: number): { data: number[]; shape: number[] } => ({ data: [count], shape: [] });

export async function expectFilesOfCaller(folder: TemporaryFolder, backend: KernelBackend): Promise<void> {
  const files = (name: string): Promise<Uint8Array> => readFile(folder.file('tiny', name));
  await using model = await loadTiny(folder.file('tiny'), { backend, files });
  expect([...((await model.run({ input_ids: ids }))['logits']?.data ?? [])]).to.deep.equal(expectedLogits(ids));
}

/** Two models at once. `restoreElsewhere` is given a saved session, a model on WebAssembly, and what comes next. */
export async function expectSessions(
  folder: TemporaryFolder,
  backend: KernelBackend,
  restoreElsewhere: (wasm: Model, saved: Uint8Array, next: readonly number[]) => Promise<void>,
): Promise<{ readonly heldBytes: number; readonly bytesAfter: number }> {
  const [first, second, wasm] = await Promise.all(
    ([backend, backend, 'wasm'] as const).map((name) => loadTiny(folder.file('generator'), { backend: name })),
  );
  if (!first || !second || !wasm) throw new Error('Three models were loaded.');
  const prompts = [
    [1, 2, 3],
    [30, 20, 10, 5],
  ];
  const sessions = [first, second].flatMap((model) => prompts.map((prompt) => ({ prompt, session: model.session() })));
  const answers = await Promise.all(sessions.map(({ prompt, session }) => session.generate(prompt, { maxTokens: 20 }).result));
  expect(answers.map((answer) => answer.ids)).to.deep.equal(sessions.map(({ prompt }) => expectedAnswer(prompt, 20)));
  const saved = await (sessions[0]?.session ?? first.session()).save();
  const restored = await second.restore(saved);
  expect(restored.ids).to.deep.equal(sessions[0]?.session.ids);
  const next = [...restored.ids, 9];
  expect((await restored.generate(next, { maxTokens: 5 }).result).ids).to.deep.equal(expectedAnswer(next, 5));
  await restoreElsewhere(wasm, saved, next);
  const heldBytes = first.memoryBytes;
  for (const { session } of sessions) session.dispose();
  await first.generate([1], { maxTokens: 1 }).result;
  const bytesAfter = first.memoryBytes;
  await Promise.all([first, second, wasm].map((model) => model.dispose()));
  return { heldBytes, bytesAfter };
}

/** `count` rounds take longer than everything else of a call. */
export async function expectTimes(folder: TemporaryFolder, backend: KernelBackend, count: number): Promise<void> {
  const profiles: (readonly StepTime[])[] = [];
  await using model = await loadTiny(folder.file('tiny'), { backend, onProfile: (times) => void profiles.push(times) });
  await model.run({ input_ids: [...ids, ...ids], rounds: rounds(count) });
  const times = profiles.at(-1) ?? [];
  expect(times.map(({ step }) => step)).to.deep.equal([0, 1, 1, 2]);
  const [spin, ...others] = times;
  for (const { milliseconds, start } of others) {
    expect(milliseconds).to.be.below(spin?.milliseconds ?? NaN);
    expect(start).to.be.at.least((spin?.start ?? NaN) + (spin?.milliseconds ?? NaN) - 1e-6);
  }
}

/** The faster of the backend and WebAssembly is taken, and the reason says both times. */
export async function expectChoice(folder: TemporaryFolder, backend: KernelBackend): Promise<void> {
  await using model = await loadTiny(folder.file('tiny'));
  const { backend: taken, why } = model.info();
  expect(taken).to.be.oneOf(['wasm', backend]);
  const other = taken === 'wasm' ? backend : 'wasm';
  expect(why).to.match(new RegExp(`^the faster: [\\d.e-]+ ms for logits at batch 1, seq 128; ${other}: [\\d.e-]+ ms$`));
}

/** A load that is aborted after each of these times rejects with the reason, or was over. */
export async function expectLoadsAborted(
  folder: TemporaryFolder,
  backend: KernelBackend,
  times: readonly number[],
): Promise<void> {
  for (const milliseconds of times) {
    const abort = new AbortController();
    const reason = new Error('stop');
    const loading = loadTiny(folder.file('tiny'), { backend, signal: abort.signal }).then(
      (model) => model.dispose(),
      (error: unknown) => error,
    );
    await wait(milliseconds);
    abort.abort(reason);
    const outcome = await loading;
    if (outcome !== undefined) expect(outcome).to.equal(reason);
  }
}

export interface ScriptPlace {
  readonly environment?: Readonly<Record<string, string>>;
  /** Default: this repository, whose packages are found. */
  readonly cwd?: string;
}
export interface ScriptEnd {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
}
/** Runs a module beside the packages, with `load` of the tiny one, in a process of its own. */
export async function runScript(
  folder: TemporaryFolder,
  text: string,
  { environment = {}, cwd = fileURLToPath(new URL('../..', import.meta.url)) }: ScriptPlace = {},
): Promise<ScriptEnd> {
  const script = folder.file('script.mjs');
  await writeFile(script, `import { load } from './tiny/index.js';\n${text}`);
  const env = { ...process.env, ...environment };
  const began = performance.now();
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [script], {
    cwd,
    env,
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, signal, stdout, stderr, milliseconds: performance.now() - began };
}

/** A module that prints what is chosen by itself, and then why the backend that is asked for cannot be had. */
export const askedScript = (backend: KernelBackend): string => `
  const model = await load();
  const { backend, why } = model.info();
  console.log(JSON.stringify({ backend, why }));
  try { await load({ backend: '${backend}' }); } catch (error) { console.log(error.code, error.message, error.hint); }
  process.exit();`;

/** A process ends as it is told to, in the middle of a call of `slow` rounds too. `options` are those of `load`, as text. */
export async function expectProcessEnds(
  run: (text: string) => Promise<ScriptEnd>,
  options: string,
  slow: number,
  mostMilliseconds = Infinity,
): Promise<void> {
  const start = `const model = await load(${options});
    const run = (count) => model.run({ input_ids: ${JSON.stringify(ids)}, rounds: { data: [count], shape: [] } });`;
  const ends: Readonly<Record<string, readonly [text: string, status: number]>> = {
    'by itself': ['await run(9);', 0],
    'with dispose': ['await run(9); await model.dispose();', 0],
    'by process.exit': [`run(${slow}); setTimeout(() => process.exit(7), 50);`, 7],
    'by process.exit while it loads': [`load(${options}); setTimeout(() => process.exit(8), 60);`, 8],
    'by an error': [`run(${slow}).catch(() => {}); setTimeout(() => { throw new Error('over'); }, 50);`, 1],
  };
  for (const [name, [text, expected]] of Object.entries(ends)) {
    const { status, signal, stderr, milliseconds } = await run(`${start}\n${text}`);
    expect({ status, signal }, `${name}: ${stderr}`).to.deep.equal({ status: expected, signal: null });
    expect(milliseconds, name).to.be.below(mostMilliseconds);
  }
}
