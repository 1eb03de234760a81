/**
 * naga, the WGSL front end of wgpu and Firefox: a second opinion on shaders that Dawn's front end took, and the only one on those
 * that no adapter of the machine can run (f16). It knows no uniformity analysis: only Dawn refuses a barrier in diverging control flow.
 */
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What `.ci/run` installs comes before what the machine has. */
const commands = [fileURLToPath(new URL('../../.cache/naga/bin/naga', import.meta.url)), 'naga'];
/** The version that the tests were written with; older ones lack f16 or reject later WGSL. */
const oldestMajorVersion = 30;

/** What each of WGSL's enable-extensions needs of naga (`naga --capabilities`). */
const capabilities: Readonly<Record<string, string>> = { f16: 'shader_float16', subgroups: 'subgroup' };
/** unpack2x16float is part of every WGSL (section 17.10); naga asks for it apart, for OpenGL's sake. */
const always = 'shader_float16_in_float32';
/** naga 30 has the functions and builtin values of subgroups and refuses the directive (gfx-rs/wgpu, issue 5555). */
const unknownDirectives: ReadonlySet<string> = new Set(['subgroups']);

let found: { readonly command: string | undefined } | undefined;
/** The first naga that is new enough; undefined where there is none. */
export function findNaga(): string | undefined {
  found ??= {
    command: commands.find(
      (command) => parseInt(spawnSync(command, ['--version'], { encoding: 'utf8' }).stdout ?? '', 10) >= oldestMajorVersion,
    ),
  };
  return found.command;
}

/** Null where the shader is valid, else what naga says of it, with the place in the shader. Only enabled extensions may be used. */
export async function validateWithNaga(wgsl: string): Promise<string | null> {
  const command = findNaga();
  if (command === undefined) throw new Error(`There is no naga ${oldestMajorVersion} or later.`);
  const { text, extensions } = withoutUnknownDirectives(wgsl);
  const wanted = [always, ...extensions.flatMap((extension) => capabilities[extension] ?? [])];
  const options = ['--stdin-file-path', 'shader.wgsl', '--capabilities', wanted.join(',')];
  const child = spawn(command, options, { stdio: ['pipe', 'ignore', 'pipe'], env: { ...process.env, NO_COLOR: '1' } });
  let message = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (message += part));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject).on('close', resolve);
    // Whether naga read all of it shows in how it ends.
    child.stdin.on('error', () => undefined).end(text);
  });
  if (code === 0) return null;
  return message.trim() === '' ? `naga ended with ${code ?? child.signalCode} and no word.` : message.trim();
}

/** The names that a shader enables, and its text with those blanked that naga does not know: every other character keeps its place. */
function withoutUnknownDirectives(wgsl: string): { readonly text: string; readonly extensions: readonly string[] } {
  const extensions: string[] = [];
  const text = wgsl.replace(/^([ \t]*enable\s+)([\w\s,]+);/gm, (directive, start: string, list: string) => {
    const names = list.split(',').flatMap((name) => name.trim() || []);
    extensions.push(...names);
    const known = names.filter((name) => !unknownDirectives.has(name));
    if (known.length === names.length) return directive;
    if (known.length === 0) return directive.replace(/\S/g, ' ');
    // The names of one directive stand on one line as the renderer writes them.
    return `${start}${known.join(', ').padEnd(list.length)};`;
  });
  return { text, extensions };
}
