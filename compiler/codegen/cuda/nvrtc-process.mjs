/**
 * NVRTC, NVIDIA's compiler as a library, in a process of its own: a compilation takes seconds in which the caller stays free and may
 * end it, the memory of two compilers is given back, and a library that does not fit this machine takes only this process down.
 *
 * Reads one request, a line of JSON, from standard input and writes one reply to standard output. The caller leaves standard input open
 * for as long as it waits: when it ends, as it does however the caller ends, so does this process, in the middle of a compilation too.
 *
 * @typedef {{ koffi: string, libraries: readonly string[] }} VersionsRequest
 * @typedef {{ versions: readonly ({ major: number, minor: number } | { fault: string })[] }} VersionsReply
 * @typedef {{ koffi: string, library: string, source: string, options: readonly string[] }} CompileRequest
 * @typedef {{ status: number, reason: string, log: string, ptx: string, cubin: string }} CompileReply `cubin` in base64
 */
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

/** The name under which errors speak of the source. */
const sourceName = 'kernels.cu';
/** What a thread of its own has for a compilation: the stack of a main thread on Linux. Koffi's default of 128 KiB is for small functions. */
const compileStackBytes = 8 * 2 ** 20;

/** @param {import('koffi')} koffi @param {string} file */
function openNvrtc(koffi, file) {
  loadBuiltins(koffi, file);
  const library = koffi.load(file);
  // NVRTC's own reference (docs.nvidia.com/cuda/nvrtc): every function but nvrtcGetErrorString gives an nvrtcResult, 0 for success.
  return {
    version: library.func('int nvrtcVersion(_Out_ int *major, _Out_ int *minor)'),
    createProgram: library.func(
      'int nvrtcCreateProgram(_Out_ void **program, const char *source, const char *name, int headers, void *texts, void *names)',
    ),
    compileProgram: library.func('int nvrtcCompileProgram(void *program, int count, const char **options)'),
    destroyProgram: library.func('int nvrtcDestroyProgram(_Inout_ void **program)'),
    errorString: library.func('const char *nvrtcGetErrorString(int result)'),
    log: [
      library.func('int nvrtcGetProgramLogSize(void *program, _Out_ size_t *size)'),
      library.func('int nvrtcGetProgramLog(void *program, _Out_ uint8_t *text)'),
    ],
    ptx: [
      library.func('int nvrtcGetPTXSize(void *program, _Out_ size_t *size)'),
      library.func('int nvrtcGetPTX(void *program, _Out_ uint8_t *text)'),
    ],
    cubin: [
      library.func('int nvrtcGetCUBINSize(void *program, _Out_ size_t *size)'),
      library.func('int nvrtcGetCUBIN(void *program, _Out_ uint8_t *bytes)'),
    ],
  };
}

/**
 * NVRTC opens its library of built-in functions by its plain name, and those of pip's packages from 13.0 on do not say that it lies
 * beside them: the loader finds it by that name once it is loaded.
 *
 * @param {import('koffi')} koffi @param {string} file
 */
function loadBuiltins(koffi, file) {
  const folder = path.dirname(file);
  const [, major] = /libnvrtc\.so\.(\d+)/.exec(file) ?? [];
  if (major === undefined || !path.isAbsolute(file) || !existsSync(folder)) return;
  const builtins = readdirSync(folder).filter((name) => name.startsWith(`libnvrtc-builtins.so.${major}.`));
  for (const name of builtins) koffi.load(path.join(folder, name));
}

/** @param {VersionsRequest} request @returns {VersionsReply} */
function versionsOf({ koffi: koffiFile, libraries }) {
  const koffi = createRequire(import.meta.url)(koffiFile);
  return {
    versions: libraries.map((file) => {
      try {
        const [major, minor] = [[0], [0]];
        openNvrtc(koffi, file).version(major, minor);
        return { major: Number(major[0]), minor: Number(minor[0]) };
      } catch (error) {
        return { fault: error instanceof Error ? error.message : String(error) };
      }
    }),
  };
}

/** @param {CompileRequest} request @returns {Promise<CompileReply>} */
async function compile({ koffi: koffiFile, library, source, options }) {
  const koffi = createRequire(import.meta.url)(koffiFile);
  koffi.config({ async_stack_size: compileStackBytes });
  const nvrtc = openNvrtc(koffi, library);
  const made = [null];
  const created = nvrtc.createProgram(made, source, sourceName, 0, null, null);
  const [program] = made;
  /** @param {readonly Function[]} functions the size of something and the thing itself */
  const read = ([sizeOf, get]) => {
    const size = [0];
    if (sizeOf?.(program, size) !== 0) return Buffer.alloc(0);
    const bytes = Buffer.alloc(Number(size[0]));
    return get?.(program, bytes) === 0 ? bytes : Buffer.alloc(0);
  };
  /** @param {Buffer} bytes a text that ends with NUL */
  const withoutEnd = (bytes) => bytes.toString('utf8').replace(/\0+$/, '');
  // In another thread, so that this one sees the end of standard input.
  const compileProgram = promisify(nvrtc.compileProgram.async);
  const status = created === 0 ? await compileProgram(program, options.length, [...options]) : created;
  const reply = { status, reason: nvrtc.errorString(status), log: created === 0 ? withoutEnd(read(nvrtc.log)) : '' };
  if (status !== 0) return { ...reply, ptx: '', cubin: '' };
  const compiled = { ...reply, ptx: withoutEnd(read(nvrtc.ptx)), cubin: read(nvrtc.cubin).toString('base64') };
  nvrtc.destroyProgram(made);
  return compiled;
}

const lines = createInterface({ input: process.stdin });
// process.exit would wait for the thread that compiles.
lines.once('close', () => process.kill(process.pid, 'SIGKILL'));
const [line] = await once(lines, 'line');
const request = JSON.parse(line);
const reply = 'libraries' in request ? versionsOf(request) : await compile(request);
process.stdout.write(JSON.stringify(reply), () => process.exit());
