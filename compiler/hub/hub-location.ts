/** `hf:org/name[@revision][:file.gguf]`: a model on the Hugging Face hub. */
import { AtpcError } from '../../runtime/errors.ts';

export interface HubLocation {
  /** `org/name`. */
  readonly repository: string;
  /** A branch, tag or commit; `main` unless given. */
  readonly revision: string;
  /** A GGUF file of the repository, by its path there. */
  readonly file?: string;
}

const prefix = 'hf:';
/** The hub's own rule for a part of a name: letters, digits, `-`, `_` and `.`, none of the last three at an end or twice. */
const part = /^(?!.*(?:--|\.\.))[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?$/;

/** Whether what a person wrote as a model means one on the hub. */
export function isHubLocation(model: string): boolean {
  return model.startsWith(prefix);
}

/** Throws ATPC-301 for what is not of the form. */
export function parseHubLocation(model: string): HubLocation {
  const [, repository = '', , revision, , file] = /^hf:([^@:]*)(@([^:]*))?(:(.*))?$/.exec(model) ?? [];
  const parts = repository.split('/');
  const wrong =
    parts.length !== 2 || !parts.every((each) => part.test(each))
      ? `'${repository}' is not of the form org/name`
      : revision !== undefined && !isRevision(revision)
        ? `'${revision}' is not the name of a branch, a tag or a commit`
        : file !== undefined && !isPlainPath(file)
          ? `'${file}' is not the path of a file in the repository`
          : file !== undefined && !file.endsWith('.gguf')
            ? `'${file}' is not a .gguf file; any other form of a model is taken as a whole`
            : undefined;
  if (wrong !== undefined) {
    throw new AtpcError('ATPC-301', `${model} names no model of the hub: ${wrong}.`, {
      hint: 'Examples: hf:sentence-transformers/all-MiniLM-L6-v2, hf:org/name@v1.0, hf:org/name:model-q4_0.gguf.',
    });
  }
  return { repository, revision: revision ?? 'main', ...(file === undefined ? {} : { file }) };
}

export function formatHubLocation({ repository, revision, file }: HubLocation): string {
  return `${prefix}${repository}@${revision}${file === undefined ? '' : `:${file}`}`;
}

/** `name` of `org/name`; the base name of the file where there is one. */
export function nameOfHubModel({ repository, file }: HubLocation): string {
  const last = (file ?? repository).split('/').at(-1) ?? repository;
  return last.replace(/(-\d{5}-of-\d{5})?\.gguf$/, '');
}

/** A path below a folder that does not lead out of it, on any system. */
export function isPlainPath(name: string): boolean {
  return name.split('/').every((each) => each !== '' && each !== '.' && each !== '..' && !/[\\:\u0000-\u001f]/.test(each));
}

/** It becomes the name of a file in the cache. */
function isRevision(name: string): boolean {
  return isPlainPath(name) && /^[\w./+-]+$/.test(name);
}
