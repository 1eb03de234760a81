import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Built } from '../../compiler/build.ts';
import { webgpuBuilds, webgpuTarget } from '../../compiler/codegen/wgsl/target.ts';
import { bindingsOf } from '../../runtime/backends/bindings.ts';
import { dispatchSteps, type EntryPoint } from '../../runtime/format/program.ts';
import { emittedKernels } from '../golden-kernels/emitted.ts';
import { gpuPrograms } from '../models/gpu-programs.ts';
import { requires } from '../requirements.ts';
import { findNaga, validateWithNaga } from '../wgsl/naga.ts';

const folder = fileURLToPath(new URL('../golden-kernels/', import.meta.url));
/** What every WebGPU device has (WebGPU, section 3.6.2): bindings of storage, bytes of workgroup memory, threads of a workgroup. */
const limits = { storageBuffers: 8, sharedBytes: 16_384, threads: 256 } as const;
const elementBytes: Readonly<Record<string, number>> = { f32: 4, i32: 4, u32: 4, f16: 2, bool: 4 };

/** Bytes of `array<vec4<f32>, 96>`, `array<u32, 64>` or `array<atomic<u32>, 8>`. */
function sharedBytes(text: string): number {
  const arrays = [...text.matchAll(/^var<workgroup> \w+: array<(?:vec([24])<|atomic<)?(\w+)>?, (\d+)>;$/gm)];
  expect(arrays.length, 'arrays of workgroup memory').to.equal([...text.matchAll(/^var<workgroup>/gm)].length);
  return arrays.reduce((sum, [, lanes = '1', type = '', count]) => {
    const bytes = elementBytes[type] ?? NaN;
    return sum + Number(lanes) * bytes * Number(count);
  }, 0);
}
const kernelsOf = (file: string): readonly (readonly [name: string, text: string])[] =>
  file.split(/^\/\/ === kernel (?=\w+ ===$)/m).flatMap((part) => {
    const [, name, text] = /^(\w+) ===\n([^]*)$/.exec(part) ?? [];
    return name === undefined || text === undefined ? [] : [[name, text] as const];
  });

describe('emitted WGSL', function () {
  this.timeout(180_000);

  it('is what the golden files have (after a change that is meant: npm run golden-kernels, and read the diff)', async () => {
    for (const [name, text] of await emittedKernels('wgsl')) {
      expect(existsSync(folder + name), name).to.equal(true);
      expect(text === readFileSync(folder + name, 'utf8'), `${name} is as emitted`).to.equal(true);
    }
  });

  for (const [name, make] of Object.entries(gpuPrograms)) {
    describe(name, () => {
      let built: Built;
      before(async () => {
        built = await make();
      });

      it('is emitted for every build, within the limits of every device, the same every time', async () => {
        const again = await make();
        for (const { features } of webgpuBuilds) {
          const [file] = await webgpuTarget.emit(built.kernels, { build: features });
          const text = String(file?.content);
          const [other] = await webgpuTarget.emit(again.kernels, { build: features });
          expect(other?.content === text, features.join()).to.equal(true);
          const kernels = kernelsOf(text);
          expect(kernels.map(([kernel]) => kernel)).to.deep.equal(built.kernels.map((kernel) => kernel.name));
          for (const [kernel, code] of kernels) {
            expect([...code.matchAll(/var<storage/g)].length, kernel).to.be.at.most(limits.storageBuffers);
            expect(sharedBytes(code), `${kernel}, workgroup memory`).to.be.at.most(limits.sharedBytes);
            const threads = Number(/@workgroup_size\((\d+)\)/.exec(code)?.[1]);
            expect(threads, `${kernel}, threads`).to.be.within(1, limits.threads);
            expect(Math.log2(threads) % 1, `${kernel}, threads`).to.equal(0);
            const enabled = [...code.matchAll(/^enable (\w+);$/gm)].map(([, feature]) =>
              feature === 'f16' ? 'shader-f16' : feature,
            );
            expect(features, kernel).to.include.members(enabled);
          }
        }
      });

      it('is taken by naga too, in every build', async function () {
        requires(this, 'naga', findNaga() !== undefined);
        const seen = new Set<string>();
        for (const { features } of webgpuBuilds) {
          const [file] = await webgpuTarget.emit(built.kernels, { build: features });
          for (const [kernel, code] of kernelsOf(String(file?.content))) {
            if (seen.has(code)) continue;
            seen.add(code);
            expect(await validateWithNaga(code), `${kernel} for ${features.join(' and ') || 'any device'}`).to.equal(null);
          }
        }
      });

      it('binds no buffer twice in a dispatch, and as its kernels expect', () => {
        const { program, kernels } = built;
        const patterns = new Map(kernels.map((kernel) => [kernel.name, kernel.pattern]));
        for (const { steps } of Object.values(program.entryPoints) as readonly EntryPoint[]) {
          for (const step of dispatchSteps(steps)) {
            const bindings = bindingsOf(program, step);
            const places = bindings.map(({ kind, index }) => `${kind} ${index}`);
            expect(new Set(places).size, step.label).to.equal(places.length);
            expect(bindings.length, step.label).to.be.at.most(limits.storageBuffers);
            const pattern = patterns.get(step.kernel);
            const scratch = step.scratchBytes === 0 ? [] : [true];
            expect(
              bindings.map(({ written }) => written),
              step.label,
            ).to.deep.equal([...(pattern?.written ?? []), ...scratch]);
            // What is written lies where nothing that is only read lies, or both are one binding, which then is a written one.
            const firstWritten = step.operands.length - (step.writes ?? 0);
            step.operands.forEach(({ buffer }, position) => {
              const { slot } = program.buffers[buffer] ?? {};
              const binding = bindings.find(({ kind, index }) =>
                slot === undefined ? kind === 'weight' && index === buffer : kind === 'slot' && index === slot,
              );
              if (position >= firstWritten) expect(binding?.written, step.label).to.equal(true);
            });
          }
        }
      });
    });
  }
});
