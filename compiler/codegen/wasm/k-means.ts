/**
 * The k-means of one block of keys (atp-modes.md, expand), and the results of its clusters. In the distances the lanes are
 * tokens, packed once per block, so that the centres stay rows and the best centre of a token is found without crossing lanes.
 */
import { packPanel, panelLanes, panelRowBytes, scoreTile } from './attention-tile.ts';
import { sumF32x4 } from './math.ts';
import { logOfCount, meanOfRows } from './mean-rows.ts';
import { defineFunction } from './wat-builder.ts';
import type { FunctionBuilder } from './wat-builder.ts';
import { f32, f32x4, i32, i32x4, v128 } from './wat-code.ts';
import type { Code, I32, Local, V128 } from './wat-code.ts';

/** Places in scratch, in bytes. */
export interface KMeansLayout {
  /** Clusters of a block at most. */
  readonly capacity: number;
  /** Bytes of a row of scores: one f32 for each token of a block, and of a row of keys. */
  readonly scoreStride: number;
  readonly keyBytes: number;
  readonly addresses: number;
  readonly panels: number;
  /** f32 [capacity up to 4][tokens of a block up to 8]. */
  readonly scores: number;
  /** f32 [capacity][headSize]. */
  readonly centres: number;
  /** -|c|^2 / 2 of each centre. */
  readonly halves: number;
  /** i32, one for each token of a block. */
  readonly assignment: number;
  /** i32 [capacity]: the end of each cluster in `members`, the tokens of a block in order of cluster. */
  readonly cursors: number;
  readonly members: number;
  /** Where the scratch of a kernel itself begins. */
  readonly end: number;
}
export function kMeansLayout(headSize: number, blockTokens: number, capacity: number): KMeansLayout {
  const lanes = Math.ceil(blockTokens / panelLanes) * panelLanes;
  let used = 0;
  const place = (elements: number): number => {
    const at = used;
    used += Math.ceil(elements / 16) * 64;
    return at;
  };
  return {
    capacity,
    scoreStride: lanes * 4,
    keyBytes: headSize * 4,
    addresses: place(panelLanes),
    panels: place(lanes * headSize),
    scores: place(Math.ceil(capacity / 4) * 4 * lanes),
    centres: place(capacity * headSize),
    halves: place(capacity),
    assignment: place(lanes),
    cursors: place(capacity),
    members: place(lanes),
    end: place(0),
  };
}

/** halves[j] = -|centres[j]|^2 / 2, rows of `size` floats. */
const halveSquares = defineFunction(
  'cluster_halve_squares',
  [
    ['centres', 'i32'],
    ['count', 'i32'],
    ['size', 'i32'],
    ['halves', 'i32'],
  ],
  null,
  (f, centres, count, size, halves) => {
    const [row, column] = [f.local('row', 'i32'), f.local('column', 'i32')];
    const at = f.let('at', centres);
    f.for(row, 0, count, 1, () => {
      const sum = f.let('sum', f32.const(0));
      f.for(column, 0, size, 1, () => {
        f.set(sum, f32.add(sum, f32.mul(f32.load(at), f32.load(at))));
        f.increment(at, 4);
      });
      f.store(f.element(halves, row), f32.mul(sum, -0.5));
    });
  },
);

/** assignment[lane] = the row j of largest scores[j][lane] + halves[j], ties to the lowest. */
const assignLanes = defineFunction(
  'cluster_assign',
  [
    ['scores', 'i32'],
    ['stride', 'i32'],
    ['groups', 'i32'],
    ['count', 'i32'],
    ['halves', 'i32'],
    ['assignment', 'i32'],
  ],
  null,
  (f, scores, stride, groups, count, halves, assignment) => {
    const [vector, row, at] = [f.local('vector', 'i32'), f.local('row', 'i32'), f.local('at', 'i32')];
    f.for(vector, 0, i32.shl(groups, 5), 16, () => {
      const best = f.let('best', f32x4.splat(-Infinity));
      const choice = f.let('choice', i32x4.splat(0));
      f.set(at, i32.add(scores, vector));
      f.for(row, 0, count, 1, () => {
        const value = f.let('value', f32x4.add(v128.load(at), v128.load32_splat(f.element(halves, row))));
        const better = f.let('better', f32x4.gt(value, best));
        f.set(choice, v128.bitselect(i32x4.splat(row), choice, better));
        f.set(best, v128.bitselect(value, best, better));
        f.increment(at, stride);
      });
      f.store(i32.add(assignment, vector), choice);
    });
  },
);

/** The mean of |row - mean|^2 over listed rows; 0 for none. */
const meanSquaredDistance = defineFunction(
  'cluster_radius',
  [
    ['list', 'i32'],
    ['count', 'i32'],
    ['rows', 'i32'],
    ['stride', 'i32'],
    ['size', 'i32'],
    ['mean', 'i32'],
  ],
  'f32',
  (f, list, count, rows, stride, size, mean) => {
    const [index, column] = [f.local('index', 'i32'), f.local('column', 'i32')];
    const sum = f.let('sum', f32x4.splat(0));
    const whole = f.let('whole', i32.and(size, -4));
    const difference = f.local('difference', 'v128');
    const addSquare = (a: V128, b: V128): void => {
      f.set(difference, f32x4.sub(a, b));
      f.set(sum, f32x4.multiplyAdd(difference, difference, sum));
    };
    f.for(index, 0, count, 1, () => {
      const row = f.let('row', i32.add(rows, i32.mul(i32.load(f.element(list, index)), stride)));
      f.for(column, 0, whole, 4, () => addSquare(v128.load(f.element(row, column)), v128.load(f.element(mean, column))));
      f.for(column, whole, size, 1, () =>
        addSquare(v128.load32_zero(f.element(row, column)), v128.load32_zero(f.element(mean, column))),
      );
    });
    return f32.div(f.call(sumF32x4, sum), f32.convert_i32_s(f.maximum(count, 1)));
  },
);

/** Sorts indices [0, count) by their assignment into `members`, keeping their order; cursors[j] becomes the end of cluster j. */
const sortByCluster = defineFunction(
  'cluster_sort',
  [
    ['assignment', 'i32'],
    ['count', 'i32'],
    ['clusters', 'i32'],
    ['cursors', 'i32'],
    ['members', 'i32'],
  ],
  null,
  (f, assignment, count, clusters, cursors, members) => {
    const index = f.local('index', 'i32');
    const cursorOf = (): Local<'i32'> => f.let('cursor', f.element(cursors, i32.load(f.element(assignment, index))));
    f.fillMemory(cursors, 0, i32.shl(clusters, 2));
    f.for(index, 0, count, 1, () => {
      const cursor = cursorOf();
      f.store(cursor, i32.add(i32.load(cursor), 1));
    });
    f.comment('counts become starts');
    const start = f.local('start', 'i32');
    f.for(index, 0, clusters, 1, () => {
      const cursor = f.let('cursor', f.element(cursors, index));
      const size = f.let('size', i32.load(cursor));
      f.store(cursor, start);
      f.increment(start, size);
    });
    f.for(index, 0, count, 1, () => {
      const cursor = cursorOf();
      const to = f.let('to', i32.load(cursor));
      f.store(f.element(members, to), index);
      f.store(cursor, i32.add(to, 1));
    });
  },
);

/** The keys and values of one key/value head, and where its clusters go; addresses, strides in bytes. */
export interface ClusteredHead {
  readonly f: FunctionBuilder;
  readonly headSize: number;
  readonly valueSize: number;
  readonly iterations: number;
  readonly layout: KMeansLayout;
  at(offset: number): Code<'i32'>;
  readonly key: Local<'i32'>;
  readonly keyStride: I32;
  readonly value: Local<'i32'>;
  readonly valueStride: I32;
  /** Of cluster 0 of the head. */
  readonly offsets: Local<'i32'>;
  readonly meanKey: Local<'i32'>;
  readonly meanValue: Local<'i32'>;
  readonly logMass: Local<'i32'>;
  readonly radius: Local<'i32'>;
}

/** Assigns the `count` tokens at `positions` to `used` clusters, and sorts them by it into layout.members. */
export function emitKMeans(
  { f, headSize, iterations, layout, at, key, keyStride }: ClusteredHead,
  positions: Local<'i32'>,
  count: Local<'i32'>,
  used: Local<'i32'>,
): void {
  const groups = f.let('groups', i32.shr_u(i32.add(count, panelLanes - 1), 3));
  const group = f.local('group', 'i32');
  const rowAt = (index: I32): Code<'i32'> => i32.add(key, i32.mul(i32.load(f.element(positions, index)), keyStride));
  f.for(group, 0, groups, 1, () => {
    for (let lane = 0; lane < panelLanes; lane++) {
      f.store(at(layout.addresses), rowAt(f.minimum(i32.add(i32.shl(group, 3), lane), i32.sub(count, 1))), lane * 4);
    }
    f.run(packPanel, at(layout.addresses), headSize, 1, i32.add(at(layout.panels), i32.mul(group, headSize * panelRowBytes)));
  });
  const centre = f.local('centre', 'i32');
  const centreAt = (): Code<'i32'> => i32.add(at(layout.centres), i32.mul(centre, layout.keyBytes));
  f.comment('centres start at tokens floor((2 j + 1) n / 2 C)');
  f.for(centre, 0, used, 1, () => {
    const token = i32.div_u(i32.mul(i32.add(i32.shl(centre, 1), 1), count), i32.shl(used, 1));
    f.copyMemory(centreAt(), rowAt(token), layout.keyBytes);
  });
  const iteration = f.let('iteration', i32.const(0));
  f.doWhile(
    () => {
      f.run(halveSquares, at(layout.centres), used, headSize, at(layout.halves));
      f.run(
        scoreTile,
        at(layout.panels),
        groups,
        headSize,
        at(layout.centres),
        layout.keyBytes,
        used,
        at(layout.scores),
        layout.scoreStride,
      );
      f.run(assignLanes, at(layout.scores), layout.scoreStride, groups, used, at(layout.halves), at(layout.assignment));
      f.run(sortByCluster, at(layout.assignment), count, used, at(layout.cursors), at(layout.members));
      emitPositions(f, at(layout.members), count, positions);
      f.increment(iteration, 1);
      f.if(i32.lt_s(iteration, iterations), () => {
        f.comment('the means of the members; an empty cluster keeps its centre');
        const from = f.let('from', i32.const(0));
        f.for(centre, 0, used, 1, () => {
          const end = f.let('end', i32.load(f.element(at(layout.cursors), centre)));
          const size = i32.sub(end, from);
          f.if(i32.ne(end, from), () =>
            f.run(meanOfRows, f.element(at(layout.members), from), size, key, keyStride, headSize, centreAt()),
          );
          f.set(from, end);
        });
      });
    },
    () => i32.lt_s(iteration, iterations),
  );
}

/** members[i] = positions[members[i]]. */
function emitPositions(f: FunctionBuilder, members: Code<'i32'>, count: Local<'i32'>, positions: Local<'i32'>): void {
  const index = f.local('member', 'i32');
  f.for(index, 0, count, 1, () => {
    const entry = f.let('member_entry', f.element(members, index));
    f.store(entry, i32.load(f.element(positions, i32.load(entry))));
  });
}

/**
 * The results of the clusters [cluster, cluster + used), whose tokens stand in layout.members; `start` is the offset of the first of
 * them. What is to be done for the members of one cluster beside: `visit(members, count, offset)`.
 */
export function emitClusterResults(
  own: ClusteredHead,
  start: Local<'i32'>,
  cluster: Local<'i32'>,
  used: Local<'i32'>,
  visit: (members: Local<'i32'>, count: Local<'i32'>, offset: Code<'i32'>) => void = () => undefined,
): void {
  const { f, headSize, valueSize, layout, at, key, keyStride, value, valueStride } = own;
  const [index, from] = [f.local('index', 'i32'), f.let('from', i32.const(0))];
  f.for(index, 0, used, 1, () => {
    const end = f.let('end', i32.load(f.element(at(layout.cursors), index)));
    const size = f.let('size', i32.sub(end, from));
    const row = f.let('row', i32.add(cluster, index));
    const members = f.let('members', f.element(at(layout.members), from));
    const mean = f.let('mean', i32.add(own.meanKey, i32.mul(row, headSize * 4)));
    f.run(meanOfRows, members, size, key, keyStride, headSize, mean);
    f.run(meanOfRows, members, size, value, valueStride, valueSize, i32.add(own.meanValue, i32.mul(row, valueSize * 4)));
    f.store(f.element(own.logMass, row), f.call(logOfCount, size));
    f.store(f.element(own.radius, row), f.call(meanSquaredDistance, members, size, key, keyStride, headSize, mean));
    f.store(f.element(own.offsets, row), i32.add(start, from));
    visit(members, size, i32.add(start, from));
    f.set(from, end);
  });
}

/** Clusters [from, to) are empty ranges at `offset`. */
export function emitEmptyClusters(
  { f, headSize, valueSize, offsets, meanKey, meanValue, logMass, radius }: ClusteredHead,
  from: I32,
  to: I32,
  offset: Code<'i32'>,
): void {
  const row = f.local('unused', 'i32');
  f.for(row, from, to, 1, () => {
    f.fillMemory(i32.add(meanKey, i32.mul(row, headSize * 4)), 0, headSize * 4);
    f.fillMemory(i32.add(meanValue, i32.mul(row, valueSize * 4)), 0, valueSize * 4);
    f.store(f.element(logMass, row), f32.const(-Infinity));
    f.store(f.element(radius, row), f32.const(0));
    f.store(f.element(offsets, row), offset);
  });
}
