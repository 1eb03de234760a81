/** Which files of a repository a compilation reads: a repository may hold the same weights in ten forms. */
import { AtpcError } from '../../runtime/errors.ts';
import type { HubFile } from './hub-client.ts';
import { formatHubLocation, type HubLocation } from './hub-location.ts';

/** Everything small that the readers look at, in the root and in the folders of modules.json. */
const describing = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
  'modules.json',
  'config_sentence_transformers.json',
  'sentence_bert_config.json',
];
const licensing = ['README.md', 'LICENSE', 'LICENSE.md', 'LICENSE.txt'];
const wholeWeights = 'model.safetensors';
const weightIndex = 'model.safetensors.index.json';

export interface NeededFiles {
  /** The model within the snapshot: '' for the folder itself, or the path of a GGUF file. */
  readonly model: string;
  readonly files: readonly HubFile[];
}

/**
 * Small files come first, so that weights which are there mean that all else is. `read` gives the text of a file that was
 * needed already. Throws ATPC-212 (a file that is not there), ATPC-201 (no weights that can be read), ATPC-301 (a choice is
 * needed).
 */
export async function neededFiles(
  location: HubLocation,
  listed: readonly HubFile[],
  read: (file: HubFile) => Promise<string>,
): Promise<NeededFiles> {
  const byPath = new Map(listed.map((file) => [file.path, file]));
  const present = (paths: readonly string[]): readonly HubFile[] =>
    paths.flatMap((path) => {
      const file = byPath.get(path);
      return file === undefined ? [] : [file];
    });
  const ggufs = ggufModels(listed);
  const wanted = location.file;
  if (wanted !== undefined) {
    const found = ggufs.find(({ parts }) => parts.some(({ path }) => path === wanted));
    if (found === undefined) throw noSuchFile(location, wanted, ggufs);
    return { model: found.path, files: [...present(licensing), ...found.parts] };
  }
  const modules = byPath.get('modules.json');
  const folders = modules === undefined ? [] : moduleFolders(await read(modules));
  const inner = folders[0] ?? '';
  const index = byPath.get(`${inner}${weightIndex}`);
  const whole = byPath.get(`${inner}${wholeWeights}`);
  if (whole === undefined && index === undefined) {
    const [only, ...more] = ggufs;
    if (only === undefined) throw noWeights(location, listed);
    if (more.length > 0) throw whichFile(location, ggufs);
    return { model: only.path, files: [...present(licensing), ...only.parts] };
  }
  const small = present([
    ...licensing,
    ...describing,
    ...folders.filter((folder) => folder !== '').flatMap((folder) => describing.map((name) => `${folder}${name}`)),
  ]);
  if (whole !== undefined) return { model: '', files: [...small, whole] };
  // A name that leads elsewhere is in no listing; the reader of the folder says what is wrong with it.
  const shards = index === undefined ? [] : present(shardNames(await read(index)).map((name) => `${inner}${name}`));
  return { model: '', files: [...small, ...(index === undefined ? [] : [index]), ...shards] };
}

/** A GGUF file, or all parts of a split one (NAME-00001-of-00003.gguf), which the path of the first stands for. */
interface GgufModel {
  readonly path: string;
  readonly bytes: number;
  readonly parts: readonly HubFile[];
}
function ggufModels(listed: readonly HubFile[]): readonly GgufModel[] {
  const models = new Map<string, HubFile[]>();
  for (const file of listed) {
    if (!file.path.endsWith('.gguf')) continue;
    const model = file.path.replace(/-\d{5}(-of-\d{5}\.gguf)$/, '$1');
    models.set(model, [...(models.get(model) ?? []), file]);
  }
  return [...models.values()].map((files) => {
    const parts = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
    return { path: parts[0]?.path ?? '', bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0), parts };
  });
}

/** Paths of the modules with a slash at the end, the transformer's first; '' is the root. The reader of modules.json checks it. */
function moduleFolders(text: string): readonly string[] {
  const modules = jsonOr(text, []);
  if (!Array.isArray(modules)) return [];
  return modules.flatMap((module: unknown) => {
    const { path } = (module ?? {}) as { readonly path?: unknown };
    return typeof path !== 'string' ? [] : [path === '' ? '' : `${path}/`];
  });
}

function shardNames(text: string): readonly string[] {
  const { weight_map: map } = (jsonOr(text, {}) ?? {}) as { readonly weight_map?: unknown };
  if (typeof map !== 'object' || map === null) return [];
  return [...new Set(Object.values(map).filter((name) => typeof name === 'string'))].sort();
}

function jsonOr(text: string, otherwise: unknown): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return otherwise;
  }
}

function noSuchFile(location: HubLocation, file: string, ggufs: readonly GgufModel[]): AtpcError {
  return new AtpcError('ATPC-212', `The model ${location.repository} has no file ${file}.`, {
    hint: ggufs.length === 0 ? 'It has no .gguf file.' : `It has ${choices(ggufs)}.`,
  });
}

function whichFile(location: HubLocation, ggufs: readonly GgufModel[]): AtpcError {
  const example = formatHubLocation({ ...location, file: ggufs[0]?.path ?? '' });
  return new AtpcError('ATPC-301', `The model ${location.repository} has ${ggufs.length} GGUF files, and one is needed.`, {
    hint: `Say which, as in ${example}. It has ${choices(ggufs)}.`,
  });
}

function choices(ggufs: readonly GgufModel[]): string {
  const shown = ggufs.slice(0, 20).map(({ path, bytes }) => `${path} (${(bytes / 1e6).toFixed(0)} MB)`);
  return shown.join(', ') + (ggufs.length > shown.length ? `, and ${ggufs.length - shown.length} more` : '');
}

function noWeights(location: HubLocation, listed: readonly HubFile[]): AtpcError {
  const other = listed.find(({ path }) => /(^|\/)pytorch_model.*\.bin$|\.(pt|pth|ckpt|h5|msgpack|onnx)$/.test(path));
  return new AtpcError(
    'ATPC-201',
    `The model ${location.repository} has no weights that are read: neither ${wholeWeights}, nor ${weightIndex}, nor a .gguf file.`,
    other === undefined
      ? {}
      : { hint: `It has ${other.path}. Another revision may have safetensors: hf:${location.repository}@refs/pr/1.` },
  );
}
