import { truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { GgufFile } from '../../compiler/import/gguf.ts';
import { dequantise } from '../../compiler/weights/block-format.ts';
import { AtpcError, type ErrorCode } from '../../runtime/errors.ts';
import { f32Tensor, ggufBytes, u64s, type GgufSpec } from './gguf-files.ts';
import { failure, temporaryFolder } from './import-files.ts';

const types = path.join(import.meta.dirname, '../fixtures/gguf-types.gguf');

/** -0 as 0: a zero scale gives either. */
const unsigned = (values: Float32Array): number[] => Array.from(values, (value) => value + 0);

describe('GGUF reader', () => {
  const folder = temporaryFolder();
  const write = async (bytes: Uint8Array, name = 'model.gguf'): Promise<string> => {
    const file = path.join(folder(), name);
    await writeFile(file, bytes);
    return file;
  };
  const fault = async (spec: GgufSpec | Uint8Array, code: ErrorCode = 'ATPC-210'): Promise<string> =>
    (await failure(code, GgufFile.open(await write(spec instanceof Uint8Array ? spec : ggufBytes(spec))))).message;

  it('reads plain tensors and metadata of versions 2 and 3, whatever the alignment', async () => {
    for (const [version, alignment] of [
      [2, 32],
      [3, 8],
      [3, 64],
    ] as const) {
      const spec: GgufSpec = {
        version,
        alignment,
        metadata: {
          'general.alignment': ['u32', alignment],
          text: ['string', 'Grüße'],
          long: ['u64', 2n ** 40n],
          flag: ['bool', true],
          list: ['strings', ['a', '', 'b']],
          numbers: ['numbers', 'i32', [-1, 2]],
        },
        tensors: [
          f32Tensor('f32', [2, 3], [0, 1, 2, 3, 4, 0.1]),
          { name: 'f16', shape: [2], type: 1, data: new Uint8Array(Uint16Array.of(0x3c00, 0x8001).buffer) },
          { name: 'bf16', shape: [2], type: 30, data: new Uint8Array(Uint16Array.of(0x3f80, 0xc049).buffer) },
        ],
      };
      const file = await GgufFile.open(await write(ggufBytes(spec)));
      expect(file.names()).to.deep.equal(['f32', 'f16', 'bf16']);
      expect(file.info('f32')).to.deep.equal({ storage: 'F32', shape: [2, 3] });
      expect([...(await file.readFloat32('f32'))]).to.deep.equal([0, 1, 2, 3, 4, Math.fround(0.1)]);
      expect([...(await file.readFloat32('f16'))]).to.deep.equal([1, -(2 ** -24)]);
      expect([...(await file.readFloat32('bf16'))]).to.deep.equal([1, -3.140625]);
      expect([...(await file.readRaw('f16'))]).to.deep.equal([0, 0x3c, 1, 0x80]);
      const { metadata } = file;
      expect([metadata.text('text'), metadata.integer('long'), metadata.flag('flag')]).to.deep.equal(['Grüße', 2 ** 40, true]);
      expect([...(metadata.texts('list') ?? [])]).to.deep.equal(['a', '', 'b']);
      expect([...(metadata.numbers('numbers') ?? [])]).to.deep.equal([-1, 2]);
      expect(metadata.text('absent')).to.equal(undefined);
      expect((await failure('ATPC-202', () => metadata.integer('text'))).message).to.include("text = 'Grüße'");
      await failure('ATPC-205', () => file.info('absent'));
      await failure('ATPC-399', file.readBlocks('f32'));
    }
  });

  it('maps every quantised type onto blocks with exactly the values of gguf-py', async () => {
    const file = await GgufFile.open(types);
    const names = ['Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0', 'Q4_K', 'Q5_K', 'Q6_K'];
    expect(file.names()).to.have.members(names.flatMap((name) => [name, `${name}.values`]));
    for (const name of names) {
      const expected = await file.readFloat32(`${name}.values`);
      expect(expected.some((value) => value !== 0)).to.equal(true);
      expect(unsigned(await file.readFloat32(name)), name).to.deep.equal(unsigned(expected));
      const blocks = await file.readBlocks(name);
      const { format, shape } = file.info(name);
      expect([blocks.format, blocks.shape]).to.deep.equal([format, shape]);
      expect(unsigned(dequantise(blocks)), name).to.deep.equal(unsigned(expected));
      await failure('ATPC-399', file.readRaw(name));
    }
  });

  it('reads quantised tensors that are no matrices as numbers', async () => {
    const data = new Uint8Array(34).fill(1);
    data.set([0, 0x3c]);
    const spec = { tensors: [{ name: 'row', shape: [32], type: 8, data }] };
    const file = await GgufFile.open(await write(ggufBytes(spec)));
    expect(file.info('row')).to.deep.equal({ storage: 'F32', shape: [32] });
    expect([...(await file.readFloat32('row'))]).to.deep.equal(Array.from({ length: 32 }, () => 1));
    expect(await file.readRaw('row')).to.have.length(128);
  });

  it('names a type that is not read only when the tensor is asked for', async () => {
    const spec = { tensors: [f32Tensor('f32', [1], [1]), { name: 'q2', shape: [256], type: 10, data: new Uint8Array(84) }] };
    const file = await GgufFile.open(await write(ggufBytes(spec)));
    expect([...(await file.readFloat32('f32'))]).to.deep.equal([1]);
    const error = await failure('ATPC-207', () => file.info('q2'));
    expect(error.message).to.include("'q2'").and.include('Q2_K');
    expect(error.hint).to.include('Q4_K');
  });

  const one = f32Tensor('a', [4], [1, 2, 3, 4]);
  const huge = 2n ** 62n;
  const hostile: readonly (readonly [string, GgufSpec | Uint8Array, readonly string[]])[] = [
    ['an empty file', new Uint8Array(0), ['0 bytes']],
    ['another kind of file', new Uint8Array(64), ["'GGUF'"]],
    ['version 1', { version: 1 }, ['version 1']],
    ['a big-endian file', { version: 0x03000000 }, ['big-endian']],
    ['more tensors than fit', { claims: { tensors: 2n ** 40n } }, ['1099511627776 tensors', 'left of the file']],
    ['a count above 2^53', { claims: { tensors: 2n ** 64n - 1n } }, ['18446744073709551615']],
    ['more keys than fit', { claims: { keys: 1000n } }, ['1000 metadata keys', 'left of the file']],
    [
      'a key twice',
      {
        metadata: [
          ['a', ['u8', 1]],
          ['a', ['u8', 2]],
        ],
      },
      ["'a' twice"],
    ],
    ['a value of an unknown type', { metadata: { a: ['raw', 13, u64s(0n)] } }, ['type 13']],
    ['a string longer than the file', { metadata: { a: ['raw', 8, u64s(huge)] } }, ["'a'", String(huge)]],
    ['a string a bit longer than the file', { metadata: { a: ['raw', 8, u64s(1000n)] } }, ['1000 bytes', 'left']],
    [
      'a list longer than the file',
      { metadata: { a: ['raw', 9, new Uint8Array([4, 0, 0, 0, ...u64s(2n ** 50n)])] } },
      ['elements'],
    ],
    ['a list of lists', { metadata: { a: ['raw', 9, new Uint8Array([9, 0, 0, 0, ...u64s(1n)])] } }, ['type 9']],
    ['an alignment of 12', { metadata: { 'general.alignment': ['u32', 12] } }, ['general.alignment 12']],
    ['an alignment of 0', { metadata: { 'general.alignment': ['u32', 0] } }, ['general.alignment 0']],
    ['a tensor twice', { tensors: [one, one] }, ["'a' twice"]],
    ['a tensor without dimensions', { tensors: [{ ...one, shape: [] }] }, ['0 dimensions']],
    ['a tensor of five dimensions', { tensors: [{ ...one, shape: [1, 1, 1, 1, 4] }] }, ['5 dimensions']],
    ['an empty tensor', { tensors: [{ ...one, shape: [0, 4] }] }, ['[0, 4]']],
    ['a shape beyond all files', { tensors: [{ ...one, shape: [2n ** 40n, 2n ** 40n] }] }, ['no file can hold']],
    ['a shape beyond this file', { tensors: [{ ...one, shape: [5] }] }, ["'a'", 'truncated']],
    ['an offset beyond the file', { tensors: [{ ...one, offset: 2n ** 40n }] }, ["'a'", 'truncated']],
    ['an offset above 2^53', { tensors: [{ ...one, offset: 2n ** 63n }] }, ["offset of 'a'"]],
    ['an offset that is not aligned', { tensors: [{ ...one, offset: 4n }] }, ['offset 4', 'alignment 32']],
    ['tensors that overlap', { tensors: [one, { ...one, name: 'b', offset: 0n }] }, ['overlap']],
    ['rows that are not whole blocks', { tensors: [{ ...one, shape: [4, 33], type: 8 }] }, ['rows of 33', 'blocks of 32']],
    ['a tensor of an unknown type beyond the file', { tensors: [{ ...one, type: 99, offset: 2n ** 40n }] }, ['number 99']],
  ];
  for (const [what, spec, words] of hostile) {
    it(`refuses ${what}`, async () => {
      const message = await fault(spec);
      for (const word of words) expect(message).to.include(word);
      expect(message).to.include('model.gguf');
    });
  }

  it('refuses names that are not UTF-8', async () => {
    const bytes = ggufBytes({ metadata: { key: ['u8', 1] } });
    bytes[32] = 0xff;
    expect(await fault(bytes)).to.include('not UTF-8');
  });

  it('gives a sentence for a file cut anywhere, and for any bytes changed', async () => {
    const whole = ggufBytes({
      metadata: {
        'general.architecture': ['string', 'llama'],
        list: ['strings', ['a', 'b']],
        numbers: ['numbers', 'f32', [1, 2]],
      },
      tensors: [one, { ...one, name: 'b' }],
    });
    for (let length = 0; length < whole.length; length += 1) {
      await fault(whole.slice(0, length));
    }
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        async (changes) => {
          const bytes = whole.slice();
          for (const [at, value] of changes) bytes[at] = value;
          try {
            const file = await GgufFile.open(await write(bytes));
            for (const name of file.names()) await file.readFloat32(name);
          } catch (error) {
            if (!(error instanceof AtpcError)) throw error;
          }
        },
      ),
      { numRuns: 500, seed: 1 },
    );
  });

  it('says so where the file got shorter after it was opened, and where there is none', async () => {
    const location = await write(ggufBytes({ tensors: [one] }));
    const file = await GgufFile.open(location);
    await truncate(location, 70);
    expect((await failure('ATPC-210', file.readFloat32('a'))).message).to.include('has changed');
    await failure('ATPC-201', GgufFile.open(path.join(folder(), 'absent.gguf')));
  });

  it('reads split files, and says what is wrong with them', async () => {
    const part = (index: number, count: number, name: string): Uint8Array =>
      ggufBytes({
        metadata: { 'split.count': ['u16', count], 'split.no': ['u16', index] },
        tensors: [f32Tensor(name, [1], [index])],
      });
    const first = await write(part(0, 2, 'a'), 'm-00001-of-00002.gguf');
    expect((await failure('ATPC-201', GgufFile.open(first))).message).to.include('m-00002-of-00002.gguf');
    const second = await write(part(1, 2, 'b'), 'm-00002-of-00002.gguf');
    const file = await GgufFile.open(first);
    expect(file.files).to.deep.equal([first, second]);
    expect([[...(await file.readFloat32('a'))], [...(await file.readFloat32('b'))]]).to.deep.equal([[0], [1]]);
    expect((await failure('ATPC-210', GgufFile.open(second))).hint).to.include('m-00001-of-00002.gguf');
    await write(part(1, 2, 'a'), 'm-00002-of-00002.gguf');
    expect((await failure('ATPC-210', GgufFile.open(first))).message).to.include("'a'");
    await write(part(0, 2, 'b'), 'm-00002-of-00002.gguf');
    expect((await failure('ATPC-210', GgufFile.open(first))).message).to.include('part 1');
    expect((await failure('ATPC-210', GgufFile.open(await write(part(0, 2, 'a'))))).message).to.include('00001-of-00002');
  });
});
