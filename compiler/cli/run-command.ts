import type { Classification, Model, NamedOutputs, TensorOutput } from '../../runtime/api.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { describeAnswer, streamAnswer } from './answer.ts';
import { generationFlags, generationOptions, type GenerationFlags } from './generation-flags.ts';
import { executionOptions, loadModel } from './load-model.ts';
import { readPackageManifest } from './package-manifest.ts';
import type { RunFlags } from './run-flags.ts';
import { formatMilliseconds } from './terminal.ts';
import type { Terminal } from './terminal.ts';
import { usageError } from './usage-error.ts';

/** What a request gives: for people the lines, for `--json` the value. */
interface Result {
  readonly lines: readonly string[];
  readonly value: Readonly<Record<string, unknown>>;
  /** In words, instead of the time alone. */
  readonly cost?: string;
}

/** `atpc run`. */
export async function runRun(terminal: Terminal, folder: string, flags: RunFlags): Promise<void> {
  const request = await readRequest(flags);
  const model = await loadModel(terminal, folder, executionOptions(flags));
  try {
    const began = performance.now();
    const result = await request(model, folder, terminal);
    const milliseconds = performance.now() - began;
    const { name, backend } = model.info();
    if (terminal.json) {
      const head = { package: name, backend, milliseconds: Number(milliseconds.toFixed(3)) };
      terminal.print(JSON.stringify({ ...head, ...result.value }, null, 2));
    } else {
      for (const line of result.lines) terminal.print(line);
      terminal.say(terminal.colors.stderr.dim(`${result.cost ?? `${formatMilliseconds(milliseconds)} ms`} on ${backend}`));
    }
  } finally {
    await model.dispose();
  }
}

type Request = (model: Model, folder: string, terminal: Terminal) => Promise<Result>;

const inputWords = { text: 'A text (--text)', prompt: 'a prompt (--prompt)', inputs: 'tensors (--inputs)' } as const;

/** Checks the options and reads the input file before anything is loaded. */
async function readRequest(flags: RunFlags): Promise<Request> {
  const { text, prompt, inputs, outputs } = flags;
  const given = (['text', 'prompt', 'inputs'] as const).filter((name) => flags[name] !== undefined);
  if (given.length !== 1) {
    const words = given.map((name) => inputWords[name]).join(' and ');
    const said =
      given.length === 0 ? 'Nothing to run was given' : `${words.charAt(0).toUpperCase()}${words.slice(1)} exclude each other`;
    throw usageError(`${said}.`, 'Give one of: --text "A text", --prompt "A text to continue", or --inputs inputs.json.');
  }
  const sampling = Object.keys(generationOptions(flags))[0];
  if (prompt === undefined && sampling !== undefined) {
    throw usageError(`${generationFlags[sampling as keyof GenerationFlags].flags} goes with --prompt only.`, 'Leave it out.');
  }
  if (inputs === undefined) {
    if (outputs !== undefined)
      throw usageError('--outputs goes with --inputs only.', 'Otherwise --json prints the results for programs.');
    if (prompt !== undefined) return (model, _folder, terminal) => continueText(model, prompt, flags, terminal);
    return (model, folder, { signal }) => runTexts(model, folder, text ?? [], signal);
  }
  const { readTensorsFile, tensorsFormat } = await import('./tensors-file.ts');
  if (outputs !== undefined) tensorsFormat(outputs);
  const tensors = await readTensorsFile(inputs);
  return async (model, _folder, { signal }) => await tensorsResult(await model.run(tensors, { signal }), outputs);
}

async function continueText(model: Model, prompt: string, flags: RunFlags, terminal: Terminal): Promise<Result> {
  const options = { ...generationOptions(flags), signal: terminal.signal };
  const result = await streamAnswer(terminal, model.generate(prompt, options));
  return { lines: [], value: { prompt, ...result }, cost: describeAnswer(result) };
}

async function runTexts(model: Model, folder: string, texts: readonly string[], signal: AbortSignal): Promise<Result> {
  const { task } = await readPackageManifest(folder);
  if (task.kind === 'generate') {
    throw new AtpcError('ATPC-605', `The package ${folder} generates text, and has no embedding of one.`, {
      hint: task.chat ? 'Use --prompt "A text to continue", or atpc chat.' : 'Use --prompt "A text to continue".',
    });
  }
  if (task.kind === 'classify') return classifications(texts, await model.classify(texts, { signal }));
  // A package without a tokenizer refuses this with a sentence of its own (ATPC-605).
  return embeddings(texts, await model.embed(texts, { signal }));
}

function classifications(texts: readonly string[], results: readonly Classification[]): Result {
  return {
    lines: results.map(({ label, score, scores }, index) => {
      const others = Object.entries(scores).filter(([name]) => name !== label);
      const rest = others.map(([name, value]) => `${name} ${value.toFixed(4)}`).join(', ');
      return `${quoted(texts[index] ?? '')}  ${label} ${score.toFixed(4)}${rest === '' ? '' : `  (${rest})`}`;
    }),
    value: { results: results.map((result, index) => ({ text: texts[index], ...result })) },
  };
}

function embeddings(texts: readonly string[], results: readonly Float32Array[]): Result {
  return {
    lines: results.map((embedding, index) => {
      const first = Array.from(embedding.subarray(0, 8), (value) => value.toFixed(4)).join(' ');
      return `${quoted(texts[index] ?? '')}  ${embedding.length} numbers, norm ${norm(embedding).toFixed(4)}: ${first}${embedding.length > 8 ? ' ...' : ''}`;
    }),
    value: {
      results: results.map((embedding, index) => ({
        text: texts[index],
        norm: norm(embedding),
        embedding: Array.from(embedding),
      })),
    },
  };
}

async function tensorsResult(tensors: NamedOutputs, file: string | undefined): Promise<Result> {
  const { jsonTensors, writeTensorsFile } = await import('./tensors-file.ts');
  const lines = Object.entries(tensors).map(([name, tensor]) => `${name}  ${describeTensor(tensor)}`);
  if (file === undefined) return { lines, value: { outputs: jsonTensors(tensors) } };
  await writeTensorsFile(file, tensors);
  const shapes = Object.entries(tensors).map(([name, { elementType, shape }]) => [name, { type: elementType, shape }]);
  return { lines: [...lines, `Written to ${file}`], value: { outputsFile: file, outputs: Object.fromEntries(shapes) } };
}

function describeTensor({ elementType, shape, data }: TensorOutput): string {
  const first = Array.from(data.subarray(0, 8), (value) => (elementType === 'f32' ? value.toFixed(4) : String(value))).join(' ');
  return `${elementType}[${shape.join(', ')}]: ${first}${data.length > 8 ? ' ...' : ''}`;
}

function norm(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

function quoted(text: string): string {
  const oneLine = text.replace(/\s+/g, ' ').trim();
  return JSON.stringify(oneLine.length <= 48 ? oneLine : `${oneLine.slice(0, 47)}\u2026`);
}
