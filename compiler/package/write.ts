/** Writes a compiled model as an npm package. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AtpcError } from '../../runtime/errors.ts';
import type {
  Manifest,
  ManifestFile,
  ManifestTarget,
  ManifestTokenizer,
  TargetFeatures,
  TargetName,
} from '../../runtime/format/manifest.ts';
import type { Program } from '../../runtime/format/program.ts';
import type { TargetFile } from '../codegen/target.ts';
import type { Explanation } from '../explain/explanation.ts';
import type { WrittenWeights } from '../weights/write.ts';
import { declarationsOf } from './declarations.ts';
import { describeFile, explanationPath, sha256 } from './files.ts';
import { jsonByLine } from './json-by-line.ts';
import { replaceFolder } from './output-folder.ts';
import { readmeOf } from './readme.ts';
import { runtimeBundle, runtimeKindOf } from './runtime-bundle.ts';

export interface PackageTarget extends Omit<ManifestTarget, 'program' | 'variants'> {
  readonly program: Program;
  /** What `atpc explain` shows; the runtime does not read it. */
  readonly explanation?: Explanation;
  /** Paths are relative to `kernels/NAME/`; those with features are the variants. */
  readonly files: readonly TargetFile[];
}
export interface PackageTokenizer extends Omit<ManifestTokenizer, 'file' | 'config'> {
  /** Contents of tokenizer.json and tokenizer_config.json. */
  readonly json: object;
  readonly configJson: object;
}
/** What a package is made of; everything in the manifest that does not follow from the files. */
export interface PackageParts extends Omit<
  Manifest,
  'formatVersion' | 'runtime' | 'files' | 'tensors' | 'targets' | 'tokenizer'
> {
  /** Name of the npm package; `name` is that of the model. */
  readonly packageName: string;
  readonly packageVersion: string;
  readonly targets: readonly PackageTarget[];
  readonly tokenizer: PackageTokenizer | null;
  /** Whether `load` can keep the weights in browsers; default false. */
  readonly browserCache?: boolean;
  /** Writes the weight files below the folder. */
  readonly writeWeights: (folder: string) => Promise<WrittenWeights>;
  /** Text of the model's licence, where it has one. */
  readonly licenseText: string | null;
}
export interface WritePackageOptions {
  readonly signal?: AbortSignal;
  /** Looks at the finished package before it gets its place; what it throws leaves no package behind. */
  readonly check?: (folder: string) => Promise<void>;
}
export interface WrittenPackage {
  readonly manifest: Manifest;
  /** Bytes of all files, and of the weight files among them. */
  readonly packageBytes: number;
  readonly weightBytes: number;
}

/**
 * Writes the package into the folder, whole or not at all. Throws ATPC-306 for a folder that holds something else, ATPC-301
 * for a name that npm does not take, and the signal's reason.
 */
export async function writePackage(
  folder: string,
  parts: PackageParts,
  { signal, check }: WritePackageOptions = {},
): Promise<WrittenPackage> {
  checkPackageName(parts.packageName);
  const { browserCache } = parts;
  const names = parts.targets.map(({ name }) => name);
  const runtime = await runtimeBundle(runtimeKindOf(parts.task), { targets: names, browserCache });
  return replaceFolder(folder, async (temporary) => {
    const output = new PackageOutput(temporary);
    const weights = await parts.writeWeights(temporary);
    signal?.throwIfAborted();
    const targets: ManifestTarget[] = [];
    for (const target of parts.targets) targets.push(await writeTarget(output, target));
    const tokenizer = parts.tokenizer && (await writeTokenizer(output, parts.tokenizer));
    await output.write('worker.js', runtime.worker);
    if (runtime.browserCache !== null) await output.write('browser-cache.js', runtime.browserCache);
    await output.write('THIRD_PARTY_LICENSES.md', runtime.thirdPartyLicenses);
    await output.write('LICENSE', parts.licenseText ?? licenseNote(parts.source.license));

    const draft = draftManifest(parts, { targets, tokenizer, tensors: weights.tensors, runtimeSha256: runtime.sha256 });
    await output.write('index.d.ts', await declarationsOf(draft, runtime.declarations, { browserCache }));
    await output.write('README.md', readmeOf(parts.packageName, draft));
    const files = [...weights.files, ...output.files].sort((a, b) => (a.path < b.path ? -1 : 1));
    const manifest: Manifest = { ...draft, files };
    const manifestText = jsonByLine(manifest);
    await output.write('manifest.json', manifestText);
    await output.write('index.js', runtime.index(sha256(manifestText), filesRead(manifest)));
    await output.write('package.json', toJson(packageJson(parts)));
    await check?.(temporary);
    signal?.throwIfAborted();

    const bytesOf = (list: readonly ManifestFile[]): number => list.reduce((sum, file) => sum + file.bytes, 0);
    const weightBytes = bytesOf(weights.files);
    return { manifest, packageBytes: bytesOf(output.files) + weightBytes, weightBytes };
  });
}

interface ManifestFinds {
  readonly targets: readonly ManifestTarget[];
  readonly tokenizer: ManifestTokenizer | null;
  readonly tensors: Manifest['tensors'];
  readonly runtimeSha256: string;
}
/** Paths of the files that the runtime reads on its own; worker.js is started and not read. */
function filesRead({ targets, tokenizer, tensors, files }: Manifest): readonly string[] {
  const cache = files.filter(({ path: file }) => file === 'browser-cache.js').map(({ path: file }) => file);
  const programs = targets.map(({ program }) => program);
  const kernels = targets.flatMap(({ variants }) => variants.map(({ file }) => file));
  const texts = tokenizer ? [tokenizer.file, tokenizer.config] : [];
  return [...new Set(['manifest.json', ...programs, ...cache, ...kernels, ...texts, ...tensors.map(({ file }) => file)])];
}

/** The manifest but for the list of files, in a fixed order of keys. */
function draftManifest(parts: PackageParts, finds: ManifestFinds): Manifest {
  const { name, compiler, modelHash, storage, family, task, dims, inputs, outputs } = parts;
  const { attention, state, golden, approximations, source } = parts;
  const runtime = { version: compiler.version, sha256: finds.runtimeSha256 };
  const { targets, tokenizer, tensors } = finds;
  const what = {
    formatVersion: 1,
    name,
    compiler,
    runtime,
    modelHash,
    ...(storage === undefined ? {} : { storage }),
    family,
    task,
    dims,
    inputs,
    outputs,
  } as const;
  return { ...what, files: [], tensors, targets, attention, state, tokenizer, golden, approximations, source };
}

/** Where the program of a target lies. */
const programPaths: { readonly [K in TargetName]: string } = {
  wasm: 'program.json',
  webgpu: 'kernels/webgpu/program.json',
  cuda: 'kernels/cuda/program.json',
  native: 'kernels/native/program.json',
};

async function writeTarget(output: PackageOutput, target: PackageTarget): Promise<ManifestTarget> {
  const { name, files, program, explanation, memory, stateBytes, golden, approximations } = target;
  const folder = `kernels/${name}`;
  await output.write(programPaths[name], jsonByLine(program));
  if (explanation) await output.write(explanationPath(programPaths[name]), `${JSON.stringify(explanation)}\n`);
  for (const file of files) await output.write(`${folder}/${file.path}`, file.content);
  const built = files.flatMap(({ path: file, features }) =>
    features ? [{ file: `${folder}/${file}`, features: features.map((feature) => featureOf(name, feature)) }] : [],
  );
  // A build for threads serves one thread too (runtime/backends/wasm/own-memory.ts), unless that has a file of its own.
  const oneThread = built
    .filter(({ features }) => features.includes('threads'))
    .map(({ file, features }) => ({ file, features: features.filter((feature) => feature !== 'threads') }))
    .filter(({ features }) => !built.some((other) => String(other.features) === String(features)));
  const variants = [...built, ...oneThread];
  // Kernels for CUDA and machine code are made by compilers that need not be there; every other target has its own.
  if (variants.length === 0 && name !== 'cuda' && name !== 'native')
    throw new AtpcError('ATPC-399', `The target ${name} gave no kernels that an engine loads.`);
  return {
    name,
    program: programPaths[name],
    variants,
    memory,
    stateBytes,
    ...(golden ? { golden } : {}),
    ...(approximations ? { approximations } : {}),
  };
}

type FeatureOf<Name extends TargetName> = (name: string) => TargetFeatures[Name] | undefined;
const anyOf =
  <T extends string>(...features: readonly T[]) =>
  (name: string): T | undefined =>
    features.find((feature) => feature === name);
const targetFeatures: { readonly [K in TargetName]: FeatureOf<K> } = {
  wasm: anyOf('simd128', 'threads', 'relaxed-simd'),
  webgpu: anyOf('subgroups', 'shader-f16'),
  native: anyOf(
    ...([
      'linux-x64',
      'linux-arm64',
      'darwin-x64',
      'darwin-arm64',
      'x86-64-v2',
      'x86-64-v3',
      'avx-vnni',
      'x86-64-v4',
      'avx512-vnni',
      'arm-dotprod',
    ] as const),
  ),
  cuda: (name) => (/^cuda-\d+\.\d+$/.test(name) ? (name as TargetFeatures['cuda']) : undefined),
};
function featureOf(target: TargetName, name: string): TargetFeatures[TargetName] {
  const found = targetFeatures[target](name);
  if (found) return found;
  throw new AtpcError('ATPC-399', `The kernels need '${name}', which is no feature of ${target} that the runtime knows.`);
}

async function writeTokenizer(output: PackageOutput, tokenizer: PackageTokenizer): Promise<ManifestTokenizer> {
  const { json, configJson, maxLength, padId, fixtures } = tokenizer;
  const [file, config] = ['tokenizer/tokenizer.json', 'tokenizer/tokenizer_config.json'];
  await output.write(file, JSON.stringify(json));
  await output.write(config, JSON.stringify(configJson));
  return { file, config, maxLength, padId, fixtures };
}

/** npm packages that a target needs in Node: Dawn's binding, which gives it a WebGPU (pages have their own), and what calls a driver. */
const peers: { readonly [K in TargetName]: Readonly<Record<string, string>> } = {
  wasm: {},
  webgpu: { webgpu: '>=0.6.0' },
  cuda: { koffi: '>=3.0.0' },
  native: { koffi: '>=3.0.0' },
};
/** All optional: a host without one runs the other targets. */
function optionalPeers(targets: readonly Pick<PackageTarget, 'name'>[]): object {
  const named = Object.assign({}, ...targets.map(({ name }) => peers[name])) as Readonly<Record<string, string>>;
  const names = Object.keys(named);
  if (names.length === 0) return {};
  const optional = names.map((name) => [name, { optional: true }] as const);
  return { peerDependencies: named, peerDependenciesMeta: Object.fromEntries(optional) };
}

function packageJson({ packageName, packageVersion, source, targets, browserCache = false }: PackageParts): object {
  return {
    name: packageName,
    version: packageVersion,
    description: source.description,
    license: source.license ?? 'SEE LICENSE IN LICENSE',
    type: 'module',
    exports: {
      // One file for all: it asks its host what it is.
      '.': { types: './index.d.ts', browser: './index.js', node: './index.js', default: './index.js' },
      './worker': './worker.js',
      './manifest': './manifest.json',
      './package.json': './package.json',
    },
    types: './index.d.ts',
    sideEffects: false,
    engines: { node: '>=20.19' },
    ...optionalPeers(targets),
    files: [
      'index.js',
      'index.d.ts',
      'worker.js',
      ...(browserCache ? ['browser-cache.js'] : []),
      'manifest.json',
      'program.json',
      'explain.json',
      'kernels',
      'tokenizer',
      'weights',
      'THIRD_PARTY_LICENSES.md',
    ],
  };
}

function licenseNote(license: string | null): string {
  return license === null
    ? 'The folder that this model was compiled from says nothing of a licence. Ask its authors before you pass it on.\n'
    : `The model is under ${license}, as its model card says; the folder that it was compiled from had no text of the licence.\n`;
}

/** https://docs.npmjs.com/cli/configuring-npm/package-json#name */
function checkPackageName(name: string): void {
  if (name.length <= 214 && /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/.test(name)) return;
  throw new AtpcError('ATPC-301', `'${name}' cannot be the name of an npm package.`, {
    hint: 'Give one with --name: lower-case letters, digits, -, _ and . only.',
  });
}

const toJson = (value: unknown): string => `${JSON.stringify(value, null, 1)}\n`;

/** The files of a package, as they are written. */
class PackageOutput {
  readonly #folder: string;
  readonly #files: ManifestFile[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }
  get files(): readonly ManifestFile[] {
    return this.#files;
  }

  async write(file: string, content: string | Uint8Array): Promise<void> {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    const location = path.join(this.#folder, file);
    await mkdir(path.dirname(location), { recursive: true });
    await writeFile(location, bytes);
    this.#files.push(describeFile(file, bytes));
  }
}
