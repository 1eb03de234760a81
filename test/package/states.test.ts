import { expect } from 'chai';
import fc from 'fast-check';
import { assembleWat } from '../../compiler/codegen/wasm/assemble.ts';
import { WasmExecutor } from '../../runtime/backends/wasm/executor.ts';
import { clearBytes, packSparse, unpackSparse } from '../../runtime/backends/sparse-bytes.ts';
import { SizeTable } from '../../runtime/backends/size-table.ts';
import { evaluateExpression, type SizeExpression } from '../../runtime/format/expression.ts';
import type { Program } from '../../runtime/format/program.ts';
import { generatorParts, generatorProgram, maxTokens, writeGenerator } from './tiny-generator.ts';
import { loadTiny, refusal, TemporaryFolder } from './tiny-package.ts';

const symbols = ['seq', 'past', 'round'] as const;
const expressions: fc.Arbitrary<SizeExpression> = fc.letrec<{ size: SizeExpression }>((tie) => ({
  size: fc.oneof(
    { depthSize: 'small' },
    fc.integer({ min: -3, max: 9 }),
    fc.constantFrom(...symbols),
    fc.tuple(fc.constantFrom('+', '*', 'min', 'max'), tie('size'), tie('size')),
    fc.tuple(fc.constantFrom('floor/', 'ceil/'), tie('size'), fc.integer({ min: 1, max: 7 })),
  ),
})).size;

describe('a table of sizes', () => {
  it('has the value of every expression, call after call and round after round', () => {
    fc.assert(
      fc.property(
        fc.array(expressions, { maxLength: 12 }),
        fc.array(fc.nat(50), { minLength: 1, maxLength: 4 }),
        (sizes, pasts) => {
          const table = new SizeTable();
          const call = table.scope(['past'], undefined, { seq: 5 });
          const rounds = table.scope(['round'], call);
          const indices = sizes.map((size) => table.add(size, rounds));
          for (const past of pasts) {
            table.set(call, 'past', past);
            table.compute(call);
            for (const round of [0, 1, 2]) {
              table.set(rounds, 'round', round);
              table.compute(rounds);
              const dims = { seq: 5, past, round };
              expect(indices.map((index) => table.at(index) + 0)).to.deep.equal(
                sizes.map((size) => evaluateExpression(size, dims) + 0),
              );
            }
          }
        },
      ),
      { numRuns: 500 },
    );
  });
  it('keeps the variables of loops apart, which may have one name', () => {
    const table = new SizeTable();
    const call = table.scope([]);
    const [first, second] = [table.scope(['i'], call), table.scope(['i'], call)];
    const [a, b] = [table.add(['+', 'i', 1], first), table.add(['+', 'i', 1], second)];
    table.set(first, 'i', 4);
    table.compute(first);
    table.set(second, 'i', 9);
    table.compute(second);
    expect([table.at(a), table.at(b)]).to.deep.equal([5, 10]);
    expect(() => table.add('j', first)).to.throw(/'j' has no value/);
  });
});

describe('bytes without their zeros', () => {
  it('are the same after packing and unpacking, and few where little is used', () => {
    const lengths = fc.constantFrom(4, 4092, 4096, 4100, 3 * 4096, 9 * 4096 + 8);
    fc.assert(
      fc.property(
        lengths,
        fc.array(fc.tuple(fc.nat(40_000), fc.integer({ min: 1, max: 255 })), { maxLength: 5 }),
        (length, places) => {
          const bytes = new Uint8Array(length);
          for (const [at, value] of places) bytes[at % length] = value;
          const packed = packSparse(bytes);
          const back = new Uint8Array(length);
          expect(unpackSparse(packed, back)).to.equal(true);
          expect(back).to.deep.equal(bytes);
          expect(packed.length).to.be.at.most(places.length * 4096 + 2);
          expect(unpackSparse(packed.subarray(0, packed.length - 1), new Uint8Array(length))).to.equal(false);
          clearBytes(back);
          expect(back.some((byte) => byte !== 0)).to.equal(false);
        },
      ),
    );
  });
});

describe('the states of a program', () => {
  const executor = async (change: Partial<Program> = {}): Promise<WasmExecutor> => {
    const { targets } = await generatorParts(true);
    const own = targets[0]?.files[0]?.content;
    if (!(own instanceof Uint8Array)) throw new TypeError('The generator has a module of its own memory.');
    return WasmExecutor.create({ ...generatorProgram(true), ...change }, own);
  };
  it('take slots that are used again, empty, and grow the memory for no others', async () => {
    const program = await executor();
    const states = Array.from({ length: 200 }, () => program.openState());
    expect(new Set(states).size).to.equal(200);
    for (const state of states) program.stateBytes(state).fill(state + 1);
    for (const state of states) expect(program.stateBytes(state).every((byte) => byte === ((state + 1) & 255))).to.equal(true);
    const { memoryBytes } = program;
    for (const state of states) program.closeState(state);
    for (let round = 0; round < 200; round++) {
      const state = program.openState();
      expect(program.stateBytes(state).some((byte) => byte !== 0)).to.equal(false);
      program.stateBytes(state).fill(9);
      if (round % 2) program.closeState(state);
    }
    expect(program.memoryBytes).to.equal(memoryBytes);
    expect(() => program.stateBytes(500)).to.throw(/no open state 500/);
  });
  it('are refused where they do not fit, with the sizes', async () => {
    const arenas = generatorProgram(true).arenas;
    expect(await refusal(executor({ arenas: { ...arenas, state: 5e9 } }))).to.match(
      /ATPC-502: The model needs 5\d{9} bytes: 256 of weights, 4224 of inputs and outputs, 64 of workspace, 5000000000 for the state/,
    );
    const program = await executor({ arenas: { ...arenas, state: 1.5e9 } });
    expect([program.openState(), program.openState()]).to.deep.equal([0, 1]);
    expect(() => program.openState()).to.throw(
      /ATPC-502.*one more session, whose state takes 1500000000 bytes.*2 sessions take 3000\d{6}/,
    );
  });
  it('are of programs with state alone', async () => {
    const code = new Uint8Array(await assembleWat('(module (import "atpc" "memory" (memory 1)))'));
    const arenas = { ...generatorProgram(true).arenas, io: 0, state: 0 };
    const entryPoints = { forward: { inputs: [], outputs: [], steps: [] } };
    const plain = await WasmExecutor.create({ ...generatorProgram(true), weights: [], buffers: [], arenas, entryPoints }, code);
    expect(() => plain.openState()).to.throw(/ATPC-605/);
  });

  it('go with the entry points that the format asks for', async () => {
    const folder = await TemporaryFolder.create();
    try {
      const { prefill, decode, score } = generatorProgram(true).entryPoints;
      const refused = async (change: Partial<Program>): Promise<string> => {
        await writeGenerator(folder.file('refused'), true, {}, { ...generatorProgram(true), ...change });
        return refusal(loadTiny(folder.file('refused')));
      };
      if (!prefill || !decode || !score) throw new Error('The generator has three entry points.');
      expect(await refused({ entryPoints: { prefill, decode } })).to.match(
        /ATPC-403.*entry points prefill, decode; with a state they are prefill, decode, score/,
      );
      expect(await refused({ entryPoints: { forward: prefill } })).to.match(/ATPC-403.*with a state/);
      expect(await refused({ entryPoints: {} })).to.match(/ATPC-403.*entryPoints/);
      expect(await refused({ arenas: { ...generatorProgram(true).arenas, state: ['*', 4, 'seq'] } })).to.match(
        /ATPC-403.*'seq' is not a dim/,
      );
      const over = generatorProgram(true).buffers.map((buffer) =>
        buffer.class === 'state' ? { ...buffer, bytes: 4 * maxTokens + 4 } : buffer,
      );
      expect(await refused({ buffers: over })).to.match(/ATPC-403.*'state' of program.json ends at byte 804; its arena has 800/);
      await writeGenerator(folder.file('stateless'), true, { state: null });
      expect(await refusal(loadTiny(folder.file('stateless')))).to.match(/ATPC-403.*task is generate, and it has no state/);
    } finally {
      await folder.remove();
    }
  });
});
