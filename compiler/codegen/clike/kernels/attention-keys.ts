import type { KeysSegment } from '../../../kernel/kernel.ts';
import type { AttentionFrame } from './attention-frame.ts';
import type { SegmentRenderer } from './attention-segment.ts';

/** Batch, head and row strides of an operand [batch, heads, rows, size]. */
export const headStrides = (name: string): readonly string[] => ['batch', 'head', 'row'].map((axis) => `${name}_${axis}`);

/** Keys in order, with what hides them. */
export const keysSegment: SegmentRenderer<KeysSegment> = {
  operands: ({ bias, mask, tokens }) => [
    'key',
    'value',
    ...(bias ? ['bias'] : []),
    ...(mask ? ['mask'] : []),
    ...(tokens ? ['tokens'] : []),
  ],
  integers: ({ bias, biasRows }) => [
    'keys',
    ...headStrides('key'),
    ...headStrides('value'),
    ...(bias ? headStrides('bias').slice(0, biasRows ? 3 : 2) : []),
  ],
  vectors: (_, { headSize, valueSize }) => ({
    ...(headSize % 4 === 0 ? { key: headStrides('key') } : {}),
    ...(valueSize % 4 === 0 ? { value: headStrides('value') } : {}),
  }),
  write: (frame, segment, names) => frame.whereTokens(segment.tokens, names('tokens'), () => writeKeys(frame, segment, names)),
};

function writeKeys(frame: AttentionFrame, segment: KeysSegment, names: (name: string) => string): void {
  const { k, kernel } = frame;
  const { bias, biasRows, mask, causal, window, parts } = segment;
  const keys = k.size(names('keys'));
  // Query i of the call stands at key i + keys - queries.
  const ahead = `${keys} - ${k.size('queries')}`;
  const firstStand = k.let('first_stand', 'i32', `${frame.firstQuery} + ${ahead}`);
  const own = k.let('own_stand', 'i32', `${firstStand} + ${frame.firstRow}`);
  const firstSeen = window === null ? '0' : k.let('first_key', 'i32', k.call('max', '0', `${firstStand} - ${k.i32(window - 1)}`));
  const endSeen = causal ? k.let('end_key', 'i32', k.call('min', keys, `${firstStand} + ${frame.rows}`)) : keys;
  const [first, end] = parts ? partOf(frame, keys, firstSeen, endSeen) : [firstSeen, endSeen];
  const biasStart = bias ? frame.headPlace(names('bias'), frame.keyHead) : '';
  const biasRow = biasRows ? ` * ${k.size(names('bias_row'))}` : '';
  const sees = (key: string, row: number): string => {
    const offset = frame.rowOffsets[row] as number;
    const stand = offset === 0 ? own : `${own} + ${offset}`;
    return [
      ...(causal ? [`(${key} <= ${stand})`] : []),
      ...(window === null ? [] : [`(${key} > ${stand} - ${k.i32(window)})`]),
    ].join(' & ');
  };
  const allSeen = (from: string, to: string): string =>
    [
      ...(causal ? [`${to} <= ${firstStand} + 1`] : []),
      ...(window === null ? [] : [`${from} > ${firstStand} + ${frame.rows} - ${k.i32(window + 1)}`]),
    ].join(' && ');
  frame.attend({
    first,
    end,
    keys: frame.keyRows(names('key'), kernel.headSize),
    values: frame.keyRows(names('value'), kernel.valueSize),
    ...(bias ? { bias: (key) => k.operand(names('bias')).at(`${biasStart} + ${key}${biasRow}`) } : {}),
    ...(mask ? { keyIsSeen: (key) => `${k.operand(names('mask')).at(`${frame.batch} * ${keys} + ${key}`)} != 0` } : {}),
    ...(causal || window !== null ? { rowSees: sees, allSeen } : {}),
  });
}

/** The keys [first, end) that the batch row has of those that the queries see. */
function partOf({ k, batch }: AttentionFrame, keys: string, firstSeen: string, endSeen: string): readonly [string, string] {
  const span = k.let('span', 'i32', `(${keys} + ${k.size('batches')} - 1) / ${k.size('batches')}`);
  return [
    k.let('first_of_part', 'i32', k.call('max', firstSeen, `${batch} * ${span}`)),
    k.let('end_of_part', 'i32', k.call('min', endSeen, `(${batch} + 1) * ${span}`)),
  ];
}
