import { readFileSync } from 'node:fs';
import type { NativeBuild } from '../../compiler/codegen/native/compile-c.ts';
import { nativeTarget } from '../../compiler/codegen/native/target.ts';
import type { TargetFile } from '../../compiler/codegen/target.ts';
import { NativeExecutor } from '../../runtime/backends/native/executor.ts';
import { NativeLibrary } from '../../runtime/backends/native/library.ts';
import { PendingWork } from '../../runtime/backends/worker/pending-work.ts';
import { evaluateExpression } from '../../runtime/format/expression.ts';
import type { Program } from '../../runtime/format/program.ts';
import { nativeIsThere } from '../native-compiler.ts';
import type { Backend, BackendProgram } from './conformance.ts';
import { highestBuild, libraryFile, testedBuilds, titleOf } from './native-library.ts';
import { writeTensors } from './write-tensors.ts';

const executors = new Set<NativeExecutor>();
/** Ends the lanes of all programs that the tests so far have made, and gives their memory back. */
export async function disposeExecutors(): Promise<void> {
  for (const executor of executors) await executor.dispose();
  executors.clear();
}

// As many as a machine of any kind has.
const lanes = 2;
/** A program over a library of its own. */
async function instantiateNative(
  program: Program,
  files: readonly TargetFile[],
  tensor: (name: string) => Promise<Float32Array | Uint8Array>,
  build: NativeBuild,
): Promise<BackendProgram> {
  const text = files.find(({ path }) => path === 'kernels.c')?.content;
  if (typeof text !== 'string') throw new TypeError('The target gave no text.');
  const library = NativeLibrary.open(readFileSync(libraryFile(text, build)), 'kernels.so');
  const executor = NativeExecutor.create(program, library, {
    lanes,
    abort: new Int32Array(1),
    description: titleOf(build),
    pending: new PendingWork(),
  });
  executors.add(executor);
  await writeTensors(executor, program, tensor);
  let call = 0;
  return {
    run(dims, inputs, stateful) {
      const tensors = Object.entries(inputs).map(([name, data]) => ({ name, data }));
      return executor.run({ ...stateful, dims, tensors }, { call: (call += 1), isAborted: () => false });
    },
    openState: () => executor.openState(),
    closeState: (state) => executor.closeState(state),
    async readState(state, name) {
      const buffer = program.buffers.find((candidate) => candidate.class === 'state' && candidate.name.endsWith(name));
      if (buffer === undefined) throw new RangeError(`The program has no state '${name}'.`);
      const bytes = executor.stateBytes(state).slice();
      const place = [bytes.buffer, Number(buffer.offset), Number(buffer.bytes) / 4] as const;
      return buffer.elementType === 'i32' ? new Int32Array(...place) : new Float32Array(...place);
    },
    get memoryBytes() {
      return executor.memoryBytes;
    },
  };
}

const backendOf = (build: NativeBuild): Backend => ({
  name: `native, ${titleOf(build)}`,
  target: nativeTarget,
  build: build.features,
  needs: { requirement: 'native', isThere: nativeIsThere },
  // The formula is of one lane: each further one has a scratch of its own.
  besidesArenas: ({ arenas }, dims) => (lanes - 1) * evaluateExpression(arenas.scratch, dims),
  instantiate: (program, files, tensor) => instantiateNative(program, files, tensor, build),
});
export const nativeBackends: readonly Backend[] = testedBuilds.map(backendOf);
export const highestNativeBackend: Backend = backendOf(highestBuild);
