import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BuildOptions, Plugin } from 'esbuild';
import type { TargetName, Task } from '../../runtime/format/manifest.ts';
import { sha256 } from './files.ts';
import { targetSupportText, workerText } from './target-entries.ts';
import { validatorsSource } from './validators.ts';

/** The runtime as it goes into a package. */
export interface RuntimeBundle {
  /** Text of worker.js. */
  readonly worker: string;
  /** Text of browser-cache.js; null in a package without the browser cache. */
  readonly browserCache: string | null;
  /** The types of api.ts, and of cache/api.ts in a package with the browser cache: the first half of index.d.ts. */
  readonly declarations: string;
  /** SHA-256 of all bundles, without what `index` puts before them. */
  readonly sha256: string;
  /** Text of THIRD_PARTY_LICENSES.md: the packages whose code is in the bundles. */
  readonly thirdPartyLicenses: string;
  /** Text of index.js for the package whose manifest has this hash, and whose runtime reads the files of these paths. */
  index(manifestSha256: string, paths: readonly string[]): string;
}

// The runtime lies beside the compiler, as .ts in a checkout and as .js (with .d.ts) in the published package.
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const runtimeFile = (name: string): string => fileURLToPath(new URL(`../../runtime/${name}`, import.meta.url));

const banner = '/* Runtime of a package that atpc compiled. Licences: LICENSE, THIRD_PARTY_LICENSES.md. */';
/**
 * What index.js begins with. Bundlers look for these words: they take the files along, bundle the worker, and put their own
 * places for them here.
 */
function packageConstants(manifestSha256: string, paths: readonly string[]): string {
  const urlOf = (file: string): string => `new URL(${JSON.stringify(`./${file}`)}, import.meta.url)`;
  return [
    `const manifestSha256 = ${JSON.stringify(manifestSha256)};`,
    'const packageFiles = {',
    ...paths.map((file) => `  ${JSON.stringify(file)}: ${urlOf(file)},`),
    '};',
    `const startWorker = () => new Worker(${urlOf('worker.js')}, { type: "module" });`,
  ].join('\n');
}

/** Names a file that packageFiles lists, which Vite and webpack would else look for (esbuild drops comments that it is not shown). */
const importModule = 'const importModule = (url) => import(/* @vite-ignore */ /* webpackIgnore: true */ url);';

/** What index.js is bundled from: a package carries no code for what it cannot do. */
const entries = { forward: 'index', generate: 'index-generate', chat: 'index-chat' } as const;
export type RuntimeKind = keyof typeof entries;
export function runtimeKindOf(task: Task): RuntimeKind {
  if (task.kind !== 'generate') return 'forward';
  return task.chat ? 'chat' : 'generate';
}

export interface RuntimeFeatures {
  /** Default: wasm alone. */
  readonly targets?: readonly TargetName[] | undefined;
  /** Whether \`load\` has the option \`cache\` in browsers; default false. */
  readonly browserCache?: boolean | undefined;
}

const bundles = new Map<string, Promise<RuntimeBundle>>();
/** Bundled on first use and then kept: the runtime is the same for all packages of a kind with the same features. */
export function runtimeBundle(
  kind: RuntimeKind,
  { targets = ['wasm'], browserCache = false }: RuntimeFeatures = {},
): Promise<RuntimeBundle> {
  const sorted = [...new Set(targets)].sort();
  const key = `${kind} ${sorted.join('-')} ${browserCache}`;
  const known = bundles.get(key) ?? buildBundle(kind, sorted, browserCache);
  bundles.set(key, known);
  return known;
}

/** A file of runtime/entry, or a text as if it lay in runtime/. */
type Entry = Pick<BuildOptions, 'entryPoints' | 'stdin'>;
const runtimeEntry = (name: string): Entry => ({ entryPoints: [runtimeFile(`entry/${name}${extension}`)] });

/** One file with all that it needs. The code of workers, which nobody calls, gives up its names: a sixth of its bytes. */
async function bundled(
  entry: Entry,
  keepsNames: boolean,
  plugins: readonly Plugin[],
): Promise<{ readonly text: string; readonly inputs: readonly string[] }> {
  const { build } = await import('esbuild');
  const { outputFiles, metafile } = await build({
    ...entry,
    bundle: true,
    write: false,
    outdir: 'package',
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'inline',
    // A quarter less of gzipped bytes; lines of what keeps its names stay short enough to read and to diff.
    minifyWhitespace: true,
    minifySyntax: true,
    minifyIdentifiers: !keepsNames,
    ...(keepsNames ? { lineLimit: 480 } : {}),
    metafile: true,
    plugins: [validatorsPlugin, ...plugins, unwrapTvmjs, minifyDependencies],
    logLevel: 'silent',
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error('esbuild gave nothing.');
  return { text: file.text, inputs: Object.keys(metafile.inputs) };
}

async function buildBundle(kind: RuntimeKind, targets: readonly TargetName[], browserCache: boolean): Promise<RuntimeBundle> {
  const plugins = [targetsPlugin(targets), browserCachePlugin(browserCache)];
  const workerEntry: Entry = {
    stdin: { contents: workerText(targets, extension), resolveDir: runtimeFile('.'), sourcefile: 'worker.js' },
  };
  const [index, worker, cache] = await Promise.all([
    bundled(runtimeEntry(entries[kind]), true, plugins),
    bundled(workerEntry, false, plugins),
    browserCache ? bundled(runtimeEntry('browser-cache'), false, plugins) : null,
  ]);
  const declarations = ['api', ...(browserCache ? ['cache/api'] : [])].map((name) =>
    readFile(runtimeFile(`${name}${extension === '.ts' ? '.ts' : '.d.ts'}`), 'utf8'),
  );
  const importer = browserCache ? [importModule] : [];
  return {
    worker: [banner, ...importer, worker.text].join('\n'),
    browserCache: cache && `${banner}\n${cache.text}`,
    declarations: (await Promise.all(declarations)).join('\n'),
    sha256: sha256(index.text + worker.text + (cache?.text ?? '')),
    thirdPartyLicenses: await licensesOf([...new Set([...index.inputs, ...worker.inputs, ...(cache?.inputs ?? [])])]),
    index: (manifestSha256, paths) => [banner, packageConstants(manifestSha256, paths), ...importer, index.text].join('\n'),
  };
}

/** The schemas as plain functions: a package compiles nothing, and so works where `new Function` is forbidden. */
const validatorsPlugin: Plugin = {
  name: 'validators',
  setup(build) {
    build.onResolve({ filter: /^atpc:validators$/ }, ({ path: name }) => ({ path: name, namespace: 'atpc' }));
    build.onLoad({ filter: /./, namespace: 'atpc' }, async () => ({
      contents: await minified(validatorsSource()),
      loader: 'js',
    }));
  },
};
/** The code for the targets of the package. */
function targetsPlugin(targets: readonly TargetName[]): Plugin {
  return {
    name: 'targets',
    setup(build) {
      build.onResolve({ filter: /^atpc:targets$/ }, ({ path: name }) => ({ path: name, namespace: 'atpc:targets' }));
      build.onLoad({ filter: /./, namespace: 'atpc:targets' }, () => ({
        contents: targetSupportText(targets, extension),
        resolveDir: runtimeFile('.'),
        loader: 'js',
      }));
    },
  };
}
/** The browser cache in packages that have it, and nothing in its place in others. */
function browserCachePlugin(browserCache: boolean): Plugin {
  const modules: Readonly<Record<string, { readonly file: string; readonly without: string }>> = {
    'atpc:cache': { file: 'cache/feature', without: 'export const cacheFeature = undefined, openWeights = undefined;' },
    'atpc:exports': { file: 'entry/delete-cached', without: '' },
  };
  return {
    name: 'browser cache',
    setup(build) {
      build.onResolve({ filter: /^atpc:(?:cache|exports)$/ }, ({ path: name }) =>
        browserCache
          ? { path: runtimeFile(`${modules[name]?.file}${extension}`) }
          : { path: name, namespace: 'atpc:without-cache' },
      );
      build.onLoad({ filter: /./, namespace: 'atpc:without-cache' }, ({ path: name }) => ({
        contents: modules[name]?.without ?? '',
        loader: 'js',
      }));
    },
  };
}
/**
 * tvmjs is one function around everything, of which a bundler can leave out nothing (330 KB). As a module, only the caches
 * stay (14 KB). Its folder has the name of the alias or, where a package manager links packages, its own.
 */
const unwrapTvmjs: Plugin = {
  name: 'unwrap tvmjs',
  setup(build) {
    build.onLoad({ filter: /[\\/](?:tvmjs|web-runtime)[\\/]lib[\\/]index\.js$/ }, async ({ path: file }) => ({
      contents: moduleOfTvmjs(await readFile(file, 'utf8')),
      loader: 'js',
    }));
    // What is left out requires modules of Node.
    build.onResolve({ filter: /^(?:fs|path|perf_hooks|ws)$/ }, ({ path: name, importer }) =>
      /[\\/](?:tvmjs|web-runtime)[\\/]/.test(importer) ? { path: name, external: true } : undefined,
    );
  },
};
/** The text within the universal module definition that rollup writes, with its exports. */
function moduleOfTvmjs(text: string): string {
  const [, body] =
    /^\(function \(global, factory\) \{[^]*?\(function \(exports\) \{ 'use strict';\n([^]*)\n\}\)\);\s*$/.exec(text) ?? [];
  if (body === undefined) throw new Error('lib/index.js of tvmjs does not have the form that its version was pinned for.');
  return body.replace(/^ {4}exports\.(\w+) = (\w+);$/gm, 'export { $2 as $1 };');
}
/** Other people's code and generated code are minified whole; our own keeps its names. */
const minifyDependencies: Plugin = {
  name: 'minify dependencies',
  setup(build) {
    build.onLoad({ filter: /[\\/]node_modules[\\/].*\.m?js$/ }, async ({ path: file }) =>
      dependencyFolder(file) === undefined ? undefined : { contents: await minified(await readFile(file, 'utf8')), loader: 'js' },
    );
  },
};
/** The folder of the package that a file belongs to; undefined for a file of our own, which may lie in node_modules too. */
function dependencyFolder(file: string): string | undefined {
  const folder = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+(?=[\\/])/.exec(path.resolve(file))?.[0];
  return folder === undefined || runtimeFile('.').startsWith(folder + path.sep) ? undefined : folder;
}
async function minified(source: string): Promise<string> {
  const { transform } = await import('esbuild');
  return (await transform(source, { minify: true, legalComments: 'inline', format: 'esm', target: 'es2022', charset: 'utf8' }))
    .code;
}

interface BundledPackage {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly text: string;
}

/** Names, versions and licence texts of the packages that bundled files come from; the validators are ajv's output. */
async function licensesOf(inputs: readonly string[]): Promise<string> {
  const resolver = createRequire(import.meta.url);
  const folders = inputs.map(dependencyFolder).filter((folder) => folder !== undefined);
  const all = new Set([...folders, path.dirname(resolver.resolve('ajv/package.json'))]);
  const packages = await Promise.all([...all].map(readPackage));
  packages.sort((a, b) => (a.name < b.name ? -1 : 1));
  const sections = packages.map(({ name, version, license, text }) => `## ${name} ${version} (${license})\n\n${text.trim()}\n`);
  return `# Third-party licences\n\nindex.js and the files that it loads contain code of these packages.\n\n${sections.join('\n')}`;
}
async function readPackage(folder: string): Promise<BundledPackage> {
  const { name, version, license } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8')) as Omit<
    BundledPackage,
    'text'
  >;
  const file = ['LICENSE', 'LICENSE.md', 'LICENSE.txt'].map((candidate) => path.join(folder, candidate)).find(existsSync);
  if (file === undefined) throw new Error(`The package ${name}, which is bundled into the runtime, has no licence file.`);
  // Apache-2.0, 4(d): notices go where the work goes.
  const notice = path.join(folder, 'NOTICE');
  const texts = await Promise.all([file, ...(existsSync(notice) ? [notice] : [])].map((each) => readFile(each, 'utf8')));
  return { name, version, license, text: texts.join('\n') };
}
