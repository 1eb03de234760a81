import { AtpcError } from '../errors.ts';
import type { SizeExpression } from './expression.ts';
import type { Manifest } from './manifest.ts';
import { entryPointNames, hasState, type EntryPoint, type Program, type Step } from './program.ts';
import type { Validator, Validators } from './validators.ts';

/** The newest version of manifest.json and program.json that this runtime reads. */
export const formatVersion = 1;

/** Parses and validates manifest.json; throws ATPC-404 for another format and ATPC-403 for anything that is not one. */
export function readManifest(json: Uint8Array, validators: Validators): Manifest {
  const manifest = read<Manifest>('manifest.json', json, validators.manifest);
  const listed = new Set(manifest.files.map((file) => file.path));
  const needed = [
    'worker.js',
    ...manifest.tensors.map((tensor) => tensor.file),
    ...manifest.targets.flatMap(({ program, variants }) => [program, ...variants.map(({ file }) => file)]),
    ...(manifest.tokenizer ? [manifest.tokenizer.file, manifest.tokenizer.config] : []),
  ];
  if ((manifest.task.kind === 'generate') !== (manifest.state !== null))
    throw invalid('manifest.json', `its task is ${manifest.task.kind}, and it has ${manifest.state ? 'a' : 'no'} state`);
  const missing = needed.find((path) => !listed.has(path));
  if (missing !== undefined) throw invalid('manifest.json', `it does not list the file ${missing}`);
  return manifest;
}

/** Parses and validates program.json; throws ATPC-404 and ATPC-403. */
export function readProgram(json: Uint8Array, validators: Validators): Program {
  const program = read<Program>('program.json', json, validators.program);
  checkProgram(program);
  return program;
}

function read<T>(path: string, json: Uint8Array, validator: Validator): T {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch (cause) {
    throw new AtpcError('ATPC-403', `${path} is not JSON.`, { cause });
  }
  const version: unknown =
    typeof value === 'object' && value !== null && 'formatVersion' in value ? value.formatVersion : undefined;
  if (version !== formatVersion) {
    throw new AtpcError(
      'ATPC-404',
      `${path} has format version ${JSON.stringify(version)}; this runtime reads ${formatVersion}.`,
      {
        hint: 'Use the index.js that was written with the package, or compile the model again.',
      },
    );
  }
  if (!validator(value)) {
    const error = validator.errors?.[0];
    throw invalid(path, `${error?.instancePath || 'the whole'} ${error?.message ?? 'does not fit the schema'}`);
  }
  return value as T;
}
function invalid(path: string, why: string): AtpcError {
  return new AtpcError('ATPC-403', `${path} is not valid: ${why}.`);
}

/** What the schema cannot say: indices and symbols that have to exist. */
function checkProgram(program: Program): void {
  const fail = (why: string): never => {
    throw invalid('program.json', why);
  };
  const symbols = new Set(program.dims.map((dim) => dim.name));
  const checkSize = (size: SizeExpression, bound: ReadonlySet<string>): void => {
    if (typeof size === 'object') {
      checkSize(size[1], bound);
      checkSize(size[2], bound);
    } else if (typeof size === 'string' && !bound.has(size)) fail(`the symbol '${size}' is not a dim`);
  };
  const checkBuffer = (index: number): void => {
    if (index >= program.buffers.length) fail(`there is no buffer ${index}`);
  };
  const checkStep = (step: Step, bound: ReadonlySet<string>): void => {
    if (step.kind === 'repeat') {
      checkSize(step.count, bound);
      for (const inner of step.steps) checkStep(inner, new Set([...bound, step.variable]));
      return;
    }
    for (const operand of step.operands) {
      checkBuffer(operand.buffer);
      checkSize(operand.offset, bound);
    }
    for (const size of [...step.integers, step.items, step.scratchBytes, ...(step.when?.less ?? [])]) checkSize(size, bound);
  };

  for (const dim of program.dims) if (dim.min > dim.max) fail(`the dim '${dim.name}' has min ${dim.min} above max ${dim.max}`);
  for (const arena of Object.values(program.arenas)) checkSize(arena, symbols);
  checkSize(program.arenas.weights, new Set());
  checkSize(program.arenas.state, new Set());
  const given = entryPointNames.filter((name) => program.entryPoints[name] !== undefined);
  const expected = entryPointNames.filter((name) => (name === 'forward') !== hasState(program));
  if (String(given) !== String(expected)) {
    const state = hasState(program) ? 'a state' : 'no state';
    fail(`it has the entry points ${given.join(', ')}; with ${state} they are ${expected.join(', ')}`);
  }
  for (const buffer of program.buffers) {
    checkSize(buffer.offset, buffer.class === 'state' ? new Set() : symbols);
    checkSize(buffer.bytes, buffer.class === 'state' ? new Set() : symbols);
  }
  for (const weight of program.weights) {
    checkBuffer(weight.buffer);
    const buffer = program.buffers[weight.buffer];
    if (buffer?.class !== 'weights' || typeof buffer.offset !== 'number')
      fail(`the tensor '${weight.tensor}' has no fixed place among the weights`);
  }
  for (const { inputs, outputs, steps } of Object.values(program.entryPoints) as readonly EntryPoint[]) {
    for (const port of [...inputs, ...outputs]) {
      checkBuffer(port.buffer);
      for (const size of port.shape) checkSize(size, symbols);
    }
    for (const step of steps) checkStep(step, symbols);
  }
}
