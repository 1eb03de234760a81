// === kernel layer_norm ===
// layer_norm
// layer_norm of one row a workgroup.

struct Sizes {
  items: i32,
  x0_offset: i32,
  x1_offset: i32,
  x2_offset: i32,
  x3_offset: i32,
  x4_offset: i32,
  weight_offset: i32,
  bias_offset: i32,
  result_offset: i32,
  extent_0: i32,
  extent_1: i32,
  extent_2: i32,
  x0_stride_0: i32,
  x0_stride_1: i32,
  x0_stride_2: i32,
  x1_stride_0: i32,
  x1_stride_1: i32,
  x1_stride_2: i32,
  x1_stride_indirect: i32,
  x2_stride_0: i32,
  x2_stride_1: i32,
  x2_stride_2: i32,
  x3_stride_0: i32,
  x3_stride_1: i32,
  x3_stride_2: i32,
  x3_stride_indirect: i32,
  x4_stride_0: i32,
  x4_stride_1: i32,
  x4_stride_2: i32,
  x4_stride_indirect: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x0_buffer: array<i32>;
@group(0) @binding(2) var<storage, read> x1_buffer: array<f32>;
@group(0) @binding(3) var<storage, read> x2_buffer: array<i32>;
@group(0) @binding(4) var<storage, read> x3_buffer: array<f32>;
@group(0) @binding(5) var<storage, read> x4_buffer: array<f32>;
@group(0) @binding(6) var<storage, read> weight_buffer: array<f32>;
@group(0) @binding(7) var<storage, read> bias_buffer: array<f32>;
@group(0) @binding(8) var<storage, read_write> result_buffer: array<f32>;

var<workgroup> exchanged: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let index_1: i32 = item % sizes.extent_1;
  let rest: i32 = item / sizes.extent_1;
  let index_0: i32 = rest;
  let row: i32 = item * sizes.extent_2;
  var partial_2: f32 = f32();
  for (var column: i32 = thread; column < sizes.extent_2; column += 64) {
    let value: f32 = ((x1_buffer[sizes.x1_offset + index_0 * sizes.x1_stride_0 + index_1 * sizes.x1_stride_1 + column + x0_buffer[sizes.x0_offset + index_0 * sizes.x0_stride_0 + index_1 * sizes.x0_stride_1] * sizes.x1_stride_indirect] + x3_buffer[sizes.x3_offset + index_0 * sizes.x3_stride_0 + index_1 * sizes.x3_stride_1 + column + x2_buffer[sizes.x2_offset + index_0 * sizes.x2_stride_0 + index_1 * sizes.x2_stride_1] * sizes.x3_stride_indirect]) + x4_buffer[sizes.x4_offset + index_0 * sizes.x4_stride_0 + index_1 * sizes.x4_stride_1 + column + index_1 * sizes.x4_stride_indirect]);
    result_buffer[sizes.result_offset + row + column] = value;
    partial_2 += value;
  }
  var sum: f32 = partial_2;
  exchanged[thread] = sum;
  workgroupBarrier();
  sum = sum + exchanged[(thread ^ 1)];
  workgroupBarrier();
  exchanged[thread] = sum;
  workgroupBarrier();
  sum = sum + exchanged[(thread ^ 2)];
  workgroupBarrier();
  exchanged[thread] = sum;
  workgroupBarrier();
  sum = sum + exchanged[(thread ^ 4)];
  workgroupBarrier();
  exchanged[thread] = sum;
  workgroupBarrier();
  sum = sum + exchanged[(thread ^ 8)];
  workgroupBarrier();
  exchanged[thread] = sum;
  workgroupBarrier();
  sum = sum + exchanged[(thread ^ 16)];
  workgroupBarrier();
  exchanged[thread] = sum;
  workgroupBarrier();
  sum = sum + exchanged[(thread ^ 32)];
  workgroupBarrier();
  let mean: f32 = sum / f32(sizes.extent_2);
  partial_2 = 0.0;
  for (var column: i32 = thread; column < sizes.extent_2; column += 64) {
    let distance: f32 = result_buffer[sizes.result_offset + row + column] - mean;
    partial_2 += distance * distance;
  }
  var squares: f32 = partial_2;
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 1)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 2)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 4)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 8)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 16)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 32)];
  workgroupBarrier();
  let scale: f32 = 1.0 / sqrt(squares / f32(sizes.extent_2) + 9.999999960041972e-13);
  for (var column: i32 = thread; column < sizes.extent_2; column += 64) {
    result_buffer[sizes.result_offset + row + column] = (result_buffer[sizes.result_offset + row + column] - mean) * scale * weight_buffer[sizes.weight_offset + column] + bias_buffer[sizes.bias_offset + column];
  }
}

// === kernel gemm_bias ===
// gemm_bias
// left [rows, depth] x right [columns, depth]^T, the right side of f32.
// A tile of 32 x 64 a workgroup.

struct Sizes {
  items: i32,
  left_offset: i32,
  right_offset: i32,
  bias_offset: i32,
  result_offset: i32,
  rows: i32,
  columns: i32,
  depth: i32,
  left_stride: i32,
  result_stride: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> left_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> right_buffer: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias_buffer: array<f32>;
@group(0) @binding(4) var<storage, read_write> result_buffer: array<f32>;

var<workgroup> left_tile: array<vec4<f32>, 160>;
var<workgroup> right_tile: array<vec4<f32>, 320>;

fn multiply_add(a: vec4<f32>, b: vec4<f32>, sum: f32) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

@compute @workgroup_size(128)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let row_tiles: i32 = ((sizes.rows + 31) / 32);
  let first_row: i32 = item % row_tiles * 32;
  let first_column: i32 = item / row_tiles * 64;
  let thread_row: i32 = thread / 16;
  let thread_column: i32 = thread % 16;
  var sum_0_0: f32 = f32();
  var sum_0_1: f32 = f32();
  var sum_0_2: f32 = f32();
  var sum_0_3: f32 = f32();
  var sum_1_0: f32 = f32();
  var sum_1_1: f32 = f32();
  var sum_1_2: f32 = f32();
  var sum_1_3: f32 = f32();
  var sum_2_0: f32 = f32();
  var sum_2_1: f32 = f32();
  var sum_2_2: f32 = f32();
  var sum_2_3: f32 = f32();
  var sum_3_0: f32 = f32();
  var sum_3_1: f32 = f32();
  var sum_3_2: f32 = f32();
  var sum_3_3: f32 = f32();
  for (var depth_start: i32 = 0; depth_start < sizes.depth; depth_start += 16) {
    for (var run: i32 = thread; run < 128; run += 128) {
      let tile_row: i32 = run / 4;
      let within: i32 = run % 4 * 4;
      let place: i32 = depth_start + within;
      let at: i32 = tile_row * 5 + within / 4;
      if (place < sizes.depth) {
        let row: i32 = min(first_row + tile_row, sizes.rows - 1);
        let start: i32 = row * sizes.left_stride + place;
        left_tile[at + 0] = left_buffer[(sizes.left_offset + start) >> 2u];
      } else {
        left_tile[at + 0] = vec4<f32>(0.0);
      }
    }
    for (var run: i32 = thread; run < 256; run += 128) {
      let tile_row_2: i32 = run / 4;
      let within_2: i32 = run % 4 * 4;
      let place_2: i32 = depth_start + within_2;
      let at_2: i32 = tile_row_2 * 5 + within_2 / 4;
      if (place_2 < sizes.depth) {
        let row_2: i32 = min(first_column + tile_row_2, sizes.columns - 1);
        let start_2: i32 = row_2 * sizes.depth + place_2;
        right_tile[at_2 + 0] = right_buffer[(sizes.right_offset + start_2) >> 2u];
      } else {
        right_tile[at_2 + 0] = vec4<f32>(0.0);
      }
    }
    workgroupBarrier();
    for (var quad: i32 = 0; quad < 4; quad += 1) {
      let left_at: i32 = thread_row * 5 + quad;
      let right_at: i32 = thread_column * 5 + quad;
      let right_0: vec4<f32> = right_tile[right_at + 0];
      let right_1: vec4<f32> = right_tile[right_at + 80];
      let right_2: vec4<f32> = right_tile[right_at + 160];
      let right_3: vec4<f32> = right_tile[right_at + 240];
      let left_0: vec4<f32> = left_tile[left_at + 0];
      sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
      sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
      sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
      sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
      let left_1: vec4<f32> = left_tile[left_at + 40];
      sum_1_0 = multiply_add(left_1, right_0, sum_1_0);
      sum_1_1 = multiply_add(left_1, right_1, sum_1_1);
      sum_1_2 = multiply_add(left_1, right_2, sum_1_2);
      sum_1_3 = multiply_add(left_1, right_3, sum_1_3);
      let left_2: vec4<f32> = left_tile[left_at + 80];
      sum_2_0 = multiply_add(left_2, right_0, sum_2_0);
      sum_2_1 = multiply_add(left_2, right_1, sum_2_1);
      sum_2_2 = multiply_add(left_2, right_2, sum_2_2);
      sum_2_3 = multiply_add(left_2, right_3, sum_2_3);
      let left_3: vec4<f32> = left_tile[left_at + 120];
      sum_3_0 = multiply_add(left_3, right_0, sum_3_0);
      sum_3_1 = multiply_add(left_3, right_1, sum_3_1);
      sum_3_2 = multiply_add(left_3, right_2, sum_3_2);
      sum_3_3 = multiply_add(left_3, right_3, sum_3_3);
    }
    workgroupBarrier();
  }
  let column: i32 = first_column + thread_column + 0;
  if (column < sizes.columns) {
    let bias_2: f32 = bias_buffer[sizes.bias_offset + column];
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column] = sum_0_0 + bias_2;
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column] = sum_1_0 + bias_2;
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column] = sum_2_0 + bias_2;
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column] = sum_3_0 + bias_2;
    }
  }
  let column_2: i32 = first_column + thread_column + 16;
  if (column_2 < sizes.columns) {
    let bias_3: f32 = bias_buffer[sizes.bias_offset + column_2];
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_2] = sum_0_1 + bias_3;
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_2] = sum_1_1 + bias_3;
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_2] = sum_2_1 + bias_3;
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_2] = sum_3_1 + bias_3;
    }
  }
  let column_3: i32 = first_column + thread_column + 32;
  if (column_3 < sizes.columns) {
    let bias_4: f32 = bias_buffer[sizes.bias_offset + column_3];
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_3] = sum_0_2 + bias_4;
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_3] = sum_1_2 + bias_4;
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_3] = sum_2_2 + bias_4;
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_3] = sum_3_2 + bias_4;
    }
  }
  let column_4: i32 = first_column + thread_column + 48;
  if (column_4 < sizes.columns) {
    let bias_5: f32 = bias_buffer[sizes.bias_offset + column_4];
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_4] = sum_0_3 + bias_5;
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_4] = sum_1_3 + bias_5;
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_4] = sum_2_3 + bias_5;
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_4] = sum_3_3 + bias_5;
    }
  }
}

// === kernel map_cast ===
// map_cast
// One element a thread.

struct Sizes {
  items: i32,
  x0_offset: i32,
  result_offset: i32,
  extent_0: i32,
  extent_1: i32,
  x0_stride_0: i32,
  x0_stride_1: i32,
  result_stride_0: i32,
  result_stride_1: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x0_buffer: array<i32>;
@group(0) @binding(2) var<storage, read_write> result_buffer: array<i32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let element: i32 = item * 64 + thread;
  let index_1: i32 = element % sizes.extent_1;
  let rest: i32 = element / sizes.extent_1;
  let index_0: i32 = rest;
  if (index_0 < sizes.extent_0) {
    result_buffer[sizes.result_offset + index_0 * sizes.result_stride_0 + index_1] = select(0, 1, x0_buffer[sizes.x0_offset + index_0 * sizes.x0_stride_0 + index_1] != 0);
  }
}

// === kernel sum_cast ===
// sum_cast
// One sum over the last axis of the nest a thread.

struct Sizes {
  items: i32,
  x0_offset: i32,
  result_offset: i32,
  extent_0: i32,
  extent_1: i32,
  extent_r: i32,
  x0_stride_0: i32,
  x0_stride_1: i32,
  x0_stride_r: i32,
  result_stride_0: i32,
  result_stride_1: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x0_buffer: array<i32>;
@group(0) @binding(2) var<storage, read_write> result_buffer: array<i32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let element: i32 = item * 64 + thread;
  let index_1: i32 = element % sizes.extent_1;
  let rest: i32 = element / sizes.extent_1;
  let index_0: i32 = rest;
  if (index_0 < sizes.extent_0) {
    var reduced: i32 = 0;
    for (var r: i32 = 0; r < sizes.extent_r; r += 1) {
      reduced = reduced + x0_buffer[sizes.x0_offset + index_0 * sizes.x0_stride_0 + r * sizes.x0_stride_r];
    }
    result_buffer[sizes.result_offset + index_0 * sizes.result_stride_0 + index_1] = reduced;
  }
}

// === kernel cluster ===
// cluster
// k-means of 128 unpadded tokens at most of one key/value head a workgroup.

struct Sizes {
  items: i32,
  key_offset: i32,
  value_offset: i32,
  mask_offset: i32,
  order_offset: i32,
  offsets_offset: i32,
  mean_key_offset: i32,
  mean_value_offset: i32,
  log_mass_offset: i32,
  radius_offset: i32,
  batches: i32,
  key_heads: i32,
  keys: i32,
  clusters: i32,
  key_batch: i32,
  key_head: i32,
  key_row: i32,
  value_batch: i32,
  value_head: i32,
  value_row: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> key_value_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> mask_buffer: array<i32>;
@group(0) @binding(3) var<storage, read_write> order_offsets_mean_key_mean_value_log_mass_radius_buffer: array<u32>;

var<workgroup> positions: array<i32, 128>;
var<workgroup> token_counts: array<i32, 129>;
var<workgroup> centres: array<vec4<f32>, 32>;
var<workgroup> half_squares: array<f32, 16>;
var<workgroup> assignment: array<i32, 128>;
var<workgroup> members: array<i32, 128>;
var<workgroup> starts: array<i32, 33>;
var<workgroup> distances: array<f32, 128>;

fn float_of_bits(bits: u32) -> f32 {
  return bitcast<f32>(bits);
}

fn floor_divide(a: i32, b: i32) -> i32 {
  let rest: i32 = a % b;
  return a / b - select(0, 1, rest != 0 && (rest < 0) != (b < 0));
}

@compute @workgroup_size(128)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let blocks: i32 = ((sizes.keys + 127) / 128);
  let block: i32 = item % blocks;
  let head: i32 = item / blocks;
  let batch: i32 = head / sizes.key_heads;
  let first: i32 = block * 128;
  let mask_row: i32 = batch * sizes.keys;
  // the tokens of the block; padded ones stand at the end of the order
  let piece: i32 = ((sizes.keys + 127) / 128);
  let begin: i32 = thread * piece;
  let end: i32 = min(begin + piece, sizes.keys);
  var own_tokens: i32 = i32();
  for (var position: i32 = begin; position < end; position += 1) {
    own_tokens += select(0, 1, mask_buffer[sizes.mask_offset + mask_row + position] != 0);
  }
  token_counts[thread] = own_tokens;
  workgroupBarrier();
  var tokens_before: i32 = i32();
  for (var other: i32 = 0; other < thread; other += 1) {
    tokens_before += token_counts[other];
  }
  if (thread == 127) {
    token_counts[128] = tokens_before + own_tokens;
  }
  workgroupBarrier();
  let tokens: i32 = workgroupUniformLoad(&token_counts[128]);
  let order_of_head: i32 = head * sizes.keys;
  var rank: i32 = tokens_before;
  for (var position: i32 = begin; position < end; position += 1) {
    if (mask_buffer[sizes.mask_offset + mask_row + position] != 0) {
      if (rank >= first && rank < first + 128) {
        positions[rank - first] = position;
      }
      rank += 1;
    } else {
      if ((position - rank) >= first && (position - rank) < first + 128) {
        order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.order_offset + order_of_head + tokens + (position - rank)] = bitcast<u32>(position);
      }
    }
  }
  workgroupBarrier();
  let count: i32 = clamp(tokens - first, 0, 128);
  let used: i32 = select(0, clamp(max(1, floor_divide((count + 2), 4)), 1, 32), count > 0);
  let start: i32 = min(first, tokens);
  let first_offset: i32 = head * (sizes.clusters + 1) + block * 32;
  let key_rows: i32 = batch * sizes.key_batch + head % sizes.key_heads * sizes.key_head;
  let value_rows: i32 = batch * sizes.value_batch + head % sizes.key_heads * sizes.value_head;
  let first_cluster: i32 = head * sizes.clusters + block * 32;
  // centres start at tokens floor((2 j + 1) n / 2 C)
  for (var slot: i32 = thread; slot < used * 2; slot += 128) {
    let row: i32 = slot / 2;
    let part: i32 = slot % 2;
    let token: i32 = (2 * row + 1) * count / (2 * used);
    let lanes: vec4<f32> = key_value_buffer[(sizes.key_offset + key_rows + positions[token] * sizes.key_row + part * 4) >> 2u];
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + (first_cluster + row) * 8 + part * 4] = bitcast<u32>(lanes.x);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + (first_cluster + row) * 8 + part * 4 + 1] = bitcast<u32>(lanes.y);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + (first_cluster + row) * 8 + part * 4 + 2] = bitcast<u32>(lanes.z);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + (first_cluster + row) * 8 + part * 4 + 3] = bitcast<u32>(lanes.w);
  }
  for (var iteration: i32 = 0; iteration < 5; iteration += 1) {
    if (iteration > 0) {
      // the means of the members; an empty cluster keeps its centre
      for (var slot: i32 = thread; slot < used * 2; slot += 128) {
        let row_2: i32 = slot / 2;
        let part_2: i32 = slot % 2;
        let from_2: i32 = starts[row_2];
        let to: i32 = starts[row_2 + 1];
        if (to > from_2) {
          var sum: vec4<f32> = vec4<f32>();
          for (var place: i32 = from_2; place < to; place += 1) {
            sum += key_value_buffer[(sizes.key_offset + key_rows + positions[members[place]] * sizes.key_row + part_2 * 4) >> 2u];
          }
          let lanes_2: vec4<f32> = sum / f32(max(to - from_2, 1));
          order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + (first_cluster + row_2) * 8 + part_2 * 4] = bitcast<u32>(lanes_2.x);
          order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + (first_cluster + row_2) * 8 + part_2 * 4 + 1] = bitcast<u32>(lanes_2.y);
          order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + (first_cluster + row_2) * 8 + part_2 * 4 + 2] = bitcast<u32>(lanes_2.z);
          order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + (first_cluster + row_2) * 8 + part_2 * 4 + 3] = bitcast<u32>(lanes_2.w);
        }
      }
    }
    storageBarrier();
    for (var base: i32 = 0; base < count; base += 128) {
      let token_2: i32 = base + thread;
      var best: i32 = i32();
      var least: f32 = 3.0000000054977558e+38;
      for (var first_centre: i32 = 0; first_centre < used; first_centre += 16) {
        let centres_left: i32 = used - first_centre;
        for (var slot: i32 = thread; slot < 32; slot += 128) {
          let tile_row: i32 = slot / 2;
          var tile_part: vec4<f32> = vec4<f32>();
          if (tile_row < centres_left) {
            tile_part = vec4<f32>(bitcast<f32>(order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + (first_cluster + first_centre + tile_row) * 8 + (slot % 2) * 4]), bitcast<f32>(order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + (first_cluster + first_centre + tile_row) * 8 + (slot % 2) * 4 + 1]), bitcast<f32>(order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + (first_cluster + first_centre + tile_row) * 8 + (slot % 2) * 4 + 2]), bitcast<f32>(order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + (first_cluster + first_centre + tile_row) * 8 + (slot % 2) * 4 + 3]));
          }
          centres[slot] = tile_part;
        }
        workgroupBarrier();
        // |c|^2 / 2 - k.c orders as the distance does
        for (var row_3: i32 = thread; row_3 < 16; row_3 += 128) {
          var square: f32 = f32();
          for (var part_3: i32 = 0; part_3 < 2; part_3 += 1) {
            let own: vec4<f32> = centres[row_3 * 2 + part_3];
            square += dot(own, own);
          }
          half_squares[row_3] = select(3.0000000054977558e+38, 0.5 * square, row_3 < centres_left);
        }
        workgroupBarrier();
        if (token_2 < count) {
          let key_row_start: i32 = key_rows + positions[token_2] * sizes.key_row;
          var product: f32 = f32();
          var product_2: f32 = f32();
          var product_3: f32 = f32();
          var product_4: f32 = f32();
          var product_5: f32 = f32();
          var product_6: f32 = f32();
          var product_7: f32 = f32();
          var product_8: f32 = f32();
          var product_9: f32 = f32();
          var product_10: f32 = f32();
          var product_11: f32 = f32();
          var product_12: f32 = f32();
          var product_13: f32 = f32();
          var product_14: f32 = f32();
          var product_15: f32 = f32();
          var product_16: f32 = f32();
          for (var part_3: i32 = 0; part_3 < 2; part_3 += 1) {
            let own_2: vec4<f32> = key_value_buffer[(sizes.key_offset + key_row_start + part_3 * 4) >> 2u];
            product += dot(own_2, centres[0 + part_3]);
            product_2 += dot(own_2, centres[2 + part_3]);
            product_3 += dot(own_2, centres[4 + part_3]);
            product_4 += dot(own_2, centres[6 + part_3]);
            product_5 += dot(own_2, centres[8 + part_3]);
            product_6 += dot(own_2, centres[10 + part_3]);
            product_7 += dot(own_2, centres[12 + part_3]);
            product_8 += dot(own_2, centres[14 + part_3]);
            product_9 += dot(own_2, centres[16 + part_3]);
            product_10 += dot(own_2, centres[18 + part_3]);
            product_11 += dot(own_2, centres[20 + part_3]);
            product_12 += dot(own_2, centres[22 + part_3]);
            product_13 += dot(own_2, centres[24 + part_3]);
            product_14 += dot(own_2, centres[26 + part_3]);
            product_15 += dot(own_2, centres[28 + part_3]);
            product_16 += dot(own_2, centres[30 + part_3]);
          }
          let distance: f32 = half_squares[0] - product;
          if (distance < least) {
            least = distance;
            best = first_centre + 0;
          }
          let distance_2: f32 = half_squares[1] - product_2;
          if (distance_2 < least) {
            least = distance_2;
            best = first_centre + 1;
          }
          let distance_3: f32 = half_squares[2] - product_3;
          if (distance_3 < least) {
            least = distance_3;
            best = first_centre + 2;
          }
          let distance_4: f32 = half_squares[3] - product_4;
          if (distance_4 < least) {
            least = distance_4;
            best = first_centre + 3;
          }
          let distance_5: f32 = half_squares[4] - product_5;
          if (distance_5 < least) {
            least = distance_5;
            best = first_centre + 4;
          }
          let distance_6: f32 = half_squares[5] - product_6;
          if (distance_6 < least) {
            least = distance_6;
            best = first_centre + 5;
          }
          let distance_7: f32 = half_squares[6] - product_7;
          if (distance_7 < least) {
            least = distance_7;
            best = first_centre + 6;
          }
          let distance_8: f32 = half_squares[7] - product_8;
          if (distance_8 < least) {
            least = distance_8;
            best = first_centre + 7;
          }
          let distance_9: f32 = half_squares[8] - product_9;
          if (distance_9 < least) {
            least = distance_9;
            best = first_centre + 8;
          }
          let distance_10: f32 = half_squares[9] - product_10;
          if (distance_10 < least) {
            least = distance_10;
            best = first_centre + 9;
          }
          let distance_11: f32 = half_squares[10] - product_11;
          if (distance_11 < least) {
            least = distance_11;
            best = first_centre + 10;
          }
          let distance_12: f32 = half_squares[11] - product_12;
          if (distance_12 < least) {
            least = distance_12;
            best = first_centre + 11;
          }
          let distance_13: f32 = half_squares[12] - product_13;
          if (distance_13 < least) {
            least = distance_13;
            best = first_centre + 12;
          }
          let distance_14: f32 = half_squares[13] - product_14;
          if (distance_14 < least) {
            least = distance_14;
            best = first_centre + 13;
          }
          let distance_15: f32 = half_squares[14] - product_15;
          if (distance_15 < least) {
            least = distance_15;
            best = first_centre + 14;
          }
          let distance_16: f32 = half_squares[15] - product_16;
          if (distance_16 < least) {
            least = distance_16;
            best = first_centre + 15;
          }
        }
        workgroupBarrier();
      }
      if (token_2 < count) {
        assignment[token_2] = best;
      }
    }
    workgroupBarrier();
    // stable order by cluster
    for (var token_3: i32 = thread; token_3 < count; token_3 += 128) {
      let own_cluster: i32 = assignment[token_3];
      var place: i32 = i32();
      for (var other: i32 = 0; other < count; other += 1) {
        let cluster: i32 = assignment[other];
        place += select(0, 1, cluster < own_cluster || (cluster == own_cluster && other < token_3));
      }
      members[place] = token_3;
    }
    for (var cluster_2: i32 = thread; cluster_2 < 33; cluster_2 += 128) {
      var before: i32 = i32();
      for (var other: i32 = 0; other < count; other += 1) {
        before += select(0, 1, assignment[other] < cluster_2);
      }
      starts[cluster_2] = before;
    }
    workgroupBarrier();
  }
  // means; zeros of the empty
  for (var slot: i32 = thread; slot < 32 * 2; slot += 128) {
    let row_3: i32 = slot / 2;
    let part_3: i32 = slot % 2;
    let from_3: i32 = starts[row_3];
    let to_2: i32 = starts[row_3 + 1];
    var sum_2: vec4<f32> = vec4<f32>();
    for (var place_2: i32 = from_3; place_2 < to_2; place_2 += 1) {
      sum_2 += key_value_buffer[(sizes.key_offset + key_rows + positions[members[place_2]] * sizes.key_row + part_3 * 4) >> 2u];
    }
    let lanes_3: vec4<f32> = sum_2 / f32(max(to_2 - from_3, 1));
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + (first_cluster + row_3) * 8 + part_3 * 4] = bitcast<u32>(lanes_3.x);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + (first_cluster + row_3) * 8 + part_3 * 4 + 1] = bitcast<u32>(lanes_3.y);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + (first_cluster + row_3) * 8 + part_3 * 4 + 2] = bitcast<u32>(lanes_3.z);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + (first_cluster + row_3) * 8 + part_3 * 4 + 3] = bitcast<u32>(lanes_3.w);
  }
  for (var slot: i32 = thread; slot < 32 * 2; slot += 128) {
    let row_4: i32 = slot / 2;
    let part_4: i32 = slot % 2;
    let from_4: i32 = starts[row_4];
    let to_3: i32 = starts[row_4 + 1];
    var sum_3: vec4<f32> = vec4<f32>();
    for (var place_2: i32 = from_4; place_2 < to_3; place_2 += 1) {
      sum_3 += key_value_buffer[(sizes.value_offset + value_rows + positions[members[place_2]] * sizes.value_row + part_4 * 4) >> 2u];
    }
    let lanes_4: vec4<f32> = sum_3 / f32(max(to_3 - from_4, 1));
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_value_offset + (first_cluster + row_4) * 8 + part_4 * 4] = bitcast<u32>(lanes_4.x);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_value_offset + (first_cluster + row_4) * 8 + part_4 * 4 + 1] = bitcast<u32>(lanes_4.y);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_value_offset + (first_cluster + row_4) * 8 + part_4 * 4 + 2] = bitcast<u32>(lanes_4.z);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_value_offset + (first_cluster + row_4) * 8 + part_4 * 4 + 3] = bitcast<u32>(lanes_4.w);
  }
  storageBarrier();
  for (var place_2: i32 = thread; place_2 < count; place_2 += 128) {
    let token_3: i32 = members[place_2];
    let key_row_start_2: i32 = key_rows + positions[token_3] * sizes.key_row;
    let centre: i32 = (first_cluster + assignment[token_3]) * 8;
    var sum_4: f32 = f32();
    for (var part_5: i32 = 0; part_5 < 2; part_5 += 1) {
      let difference: vec4<f32> = key_value_buffer[(sizes.key_offset + key_row_start_2 + part_5 * 4) >> 2u] - vec4<f32>(bitcast<f32>(order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + centre + part_5 * 4]), bitcast<f32>(order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + centre + part_5 * 4 + 1]), bitcast<f32>(order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + centre + part_5 * 4 + 2]), bitcast<f32>(order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.mean_key_offset + centre + part_5 * 4 + 3]));
      sum_4 += dot(difference, difference);
    }
    distances[place_2] = sum_4;
  }
  workgroupBarrier();
  for (var cluster_2: i32 = thread; cluster_2 < 32; cluster_2 += 128) {
    let from_5: i32 = starts[cluster_2];
    let to_4: i32 = starts[cluster_2 + 1];
    let size: f32 = f32(max(to_4 - from_5, 1));
    var sum_5: f32 = f32();
    for (var place_2: i32 = from_5; place_2 < to_4; place_2 += 1) {
      sum_5 += distances[place_2];
    }
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.radius_offset + first_cluster + cluster_2] = bitcast<u32>(sum_5 / size);
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.log_mass_offset + first_cluster + cluster_2] = bitcast<u32>(select(float_of_bits(0xff800000u), log(size), to_4 > from_5));
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.offsets_offset + first_offset + cluster_2] = bitcast<u32>(start + from_5);
  }
  for (var place_2: i32 = thread; place_2 < count; place_2 += 128) {
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.order_offset + order_of_head + start + place_2] = bitcast<u32>(positions[members[place_2]]);
  }
  if (block == blocks - 1 && thread == 0) {
    order_offsets_mean_key_mean_value_log_mass_radius_buffer[sizes.offsets_offset + first_offset + 32] = bitcast<u32>(tokens);
  }
}

// === kernel maps_gather ===
// maps_gather
// One element a thread, of one of 2 loops.

struct Sizes {
  items: i32,
  part_0_x0_offset: i32,
  part_0_x1_offset: i32,
  part_1_x0_offset: i32,
  part_1_x1_offset: i32,
  part_0_result_offset: i32,
  part_1_result_offset: i32,
  part_0_extent_0: i32,
  part_0_extent_1: i32,
  part_0_extent_2: i32,
  part_0_extent_3: i32,
  part_0_x0_stride_0: i32,
  part_0_x0_stride_1: i32,
  part_0_x0_stride_2: i32,
  part_0_x0_stride_3: i32,
  part_0_x1_stride_0: i32,
  part_0_x1_stride_1: i32,
  part_0_x1_stride_2: i32,
  part_0_x1_stride_3: i32,
  part_0_x1_stride_indirect: i32,
  part_0_result_stride_0: i32,
  part_0_result_stride_1: i32,
  part_0_result_stride_2: i32,
  part_0_result_stride_3: i32,
  part_1_extent_0: i32,
  part_1_extent_1: i32,
  part_1_extent_2: i32,
  part_1_extent_3: i32,
  part_1_x0_stride_0: i32,
  part_1_x0_stride_1: i32,
  part_1_x0_stride_2: i32,
  part_1_x0_stride_3: i32,
  part_1_x1_stride_0: i32,
  part_1_x1_stride_1: i32,
  part_1_x1_stride_2: i32,
  part_1_x1_stride_3: i32,
  part_1_x1_stride_indirect: i32,
  part_1_result_stride_0: i32,
  part_1_result_stride_1: i32,
  part_1_result_stride_2: i32,
  part_1_result_stride_3: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> part_0_x0_part_1_x0_buffer: array<i32>;
@group(0) @binding(2) var<storage, read> part_0_x1_part_1_x1_buffer: array<f32>;
@group(0) @binding(3) var<storage, read_write> part_0_result_buffer: array<f32>;
@group(0) @binding(4) var<storage, read_write> part_1_result_buffer: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let part_0_end: i32 = (sizes.part_0_extent_0 * sizes.part_0_extent_1 * sizes.part_0_extent_2 * sizes.part_0_extent_3 + 63) / 64;
  if (item < part_0_end) {
    let element: i32 = item * 64 + thread;
    let index_3: i32 = element % sizes.part_0_extent_3;
    let rest: i32 = element / sizes.part_0_extent_3;
    let index_2: i32 = rest % sizes.part_0_extent_2;
    let rest_2: i32 = rest / sizes.part_0_extent_2;
    let index_1: i32 = rest_2 % sizes.part_0_extent_1;
    let rest_3: i32 = rest_2 / sizes.part_0_extent_1;
    let index_0: i32 = rest_3;
    if (index_0 < sizes.part_0_extent_0) {
      part_0_result_buffer[sizes.part_0_result_offset + index_0 * sizes.part_0_result_stride_0 + index_1 * sizes.part_0_result_stride_1 + index_2 * sizes.part_0_result_stride_2 + index_3] = part_0_x1_part_1_x1_buffer[sizes.part_0_x1_offset + index_0 * sizes.part_0_x1_stride_0 + index_1 * sizes.part_0_x1_stride_1 + index_2 * sizes.part_0_x1_stride_2 + index_3 + part_0_x0_part_1_x0_buffer[sizes.part_0_x0_offset + index_0 * sizes.part_0_x0_stride_0 + index_1 * sizes.part_0_x0_stride_1 + index_2 * sizes.part_0_x0_stride_2] * sizes.part_0_x1_stride_indirect];
    }
  }
  let part_1_end: i32 = part_0_end + (sizes.part_1_extent_0 * sizes.part_1_extent_1 * sizes.part_1_extent_2 * sizes.part_1_extent_3 + 63) / 64;
  if (item >= part_0_end && item < part_1_end) {
    let element_2: i32 = (item - part_0_end) * 64 + thread;
    let index_3_2: i32 = element_2 % sizes.part_1_extent_3;
    let rest_4: i32 = element_2 / sizes.part_1_extent_3;
    let index_2_2: i32 = rest_4 % sizes.part_1_extent_2;
    let rest_5: i32 = rest_4 / sizes.part_1_extent_2;
    let index_1_2: i32 = rest_5 % sizes.part_1_extent_1;
    let rest_6: i32 = rest_5 / sizes.part_1_extent_1;
    let index_0_2: i32 = rest_6;
    if (index_0_2 < sizes.part_1_extent_0) {
      part_1_result_buffer[sizes.part_1_result_offset + index_0_2 * sizes.part_1_result_stride_0 + index_1_2 * sizes.part_1_result_stride_1 + index_2_2 * sizes.part_1_result_stride_2 + index_3_2] = part_0_x1_part_1_x1_buffer[sizes.part_1_x1_offset + index_0_2 * sizes.part_1_x1_stride_0 + index_1_2 * sizes.part_1_x1_stride_1 + index_2_2 * sizes.part_1_x1_stride_2 + index_3_2 + part_0_x0_part_1_x0_buffer[sizes.part_1_x0_offset + index_0_2 * sizes.part_1_x0_stride_0 + index_1_2 * sizes.part_1_x0_stride_1 + index_2_2 * sizes.part_1_x0_stride_2] * sizes.part_1_x1_stride_indirect];
    }
  }
}

// === kernel attention_keys_expand ===
// attention_keys_expand
// Attention of 16 queries of one head a workgroup, 64 keys at a time.

struct Sizes {
  items: i32,
  query_offset: i32,
  segment_0_key_offset: i32,
  segment_0_value_offset: i32,
  segment_0_mask_offset: i32,
  segment_0_tokens_offset: i32,
  segment_1_mean_key_offset: i32,
  segment_1_mean_value_offset: i32,
  segment_1_log_mass_offset: i32,
  segment_1_radius_offset: i32,
  segment_1_offsets_offset: i32,
  segment_1_sorted_key_offset: i32,
  segment_1_sorted_value_offset: i32,
  segment_1_tokens_offset: i32,
  result_offset: i32,
  batches: i32,
  heads: i32,
  key_heads: i32,
  queries: i32,
  query_batch: i32,
  query_head: i32,
  query_row: i32,
  result_batch: i32,
  result_head: i32,
  result_row: i32,
  segment_0_keys: i32,
  segment_0_key_batch: i32,
  segment_0_key_head: i32,
  segment_0_key_row: i32,
  segment_0_value_batch: i32,
  segment_0_value_head: i32,
  segment_0_value_row: i32,
  segment_1_clusters: i32,
  segment_1_capacity: i32,
  segment_1_keys: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> query_segment_0_key_segment_0_value_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> segment_0_mask_buffer: array<i32>;
@group(0) @binding(3) var<storage, read> segment_0_tokens_segment_1_tokens_buffer: array<i32>;
@group(0) @binding(4) var<storage, read> segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer: array<u32>;
@group(0) @binding(5) var<storage, read> segment_1_sorted_key_buffer: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> segment_1_sorted_value_buffer: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> result_buffer: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> scratch: array<f32>;

var<workgroup> weights: array<vec4<f32>, 256>;
var<workgroup> broadcast: array<i32, 1>;
var<workgroup> staged_queries: array<vec4<f32>, 72>;
var<workgroup> staged_keys: array<vec4<f32>, 264>;
var<workgroup> lane_values: array<vec4<f32>, 64>;
var<workgroup> group_rankings: array<f32, 256>;
var<workgroup> largest_rankings: array<f32, 64>;
var<workgroup> block_values: array<vec4<f32>, 4>;
var<workgroup> pending: array<i32, 4>;
var<workgroup> thresholds: array<f32, 1>;
var<workgroup> ends_of_equals: array<i32, 1>;
var<workgroup> flags: array<i32, 64>;
var<workgroup> cluster_ends: array<i32, 64>;
var<workgroup> cluster_shifts: array<i32, 64>;
var<workgroup> cluster_numbers: array<i32, 64>;
var<workgroup> token_rows: array<i32, 64>;
var<workgroup> token_clusters: array<i32, 64>;

fn floor_divide(a: i32, b: i32) -> i32 {
  let rest: i32 = a % b;
  return a / b - select(0, 1, rest != 0 && (rest < 0) != (b < 0));
}

fn ordered_integer(x: f32) -> i32 {
  let bits: i32 = bitcast<i32>(x);
  return bits ^ ((bits >> 31u) & 2147483647);
}

fn ordered_float(key: i32) -> f32 {
  return bitcast<f32>(key ^ ((key >> 31u) & 2147483647));
}

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let scratch_start: i32 = item * (sizes.segment_1_capacity * 2);
  let tiles: i32 = ((sizes.queries + 15) / 16);
  let batch: i32 = item / tiles / sizes.heads;
  let head: i32 = item / tiles % sizes.heads;
  let key_head: i32 = head / (sizes.heads / sizes.key_heads);
  let first_query: i32 = item % tiles * 16;
  let rows: i32 = min(16, sizes.queries - first_query);
  let row_group: i32 = thread / 16;
  let lane: i32 = thread % 16;
  let column_lane: i32 = lane % 2;
  let split: i32 = lane / 2;
  let query_start: i32 = batch * sizes.query_batch + head * sizes.query_head;
  var maximum: vec4<f32> = vec4<f32>((-4.999999840142846e+37));
  var total: vec4<f32> = vec4<f32>();
  var sum_0_0: vec4<f32> = vec4<f32>();
  var sum_1_0: vec4<f32> = vec4<f32>();
  var sum_2_0: vec4<f32> = vec4<f32>();
  var sum_3_0: vec4<f32> = vec4<f32>();
  // Segment 0: keys
  if (thread == 0) {
    broadcast[0] = segment_0_tokens_segment_1_tokens_buffer[sizes.segment_0_tokens_offset + batch];
  }
  let tokens_here: i32 = workgroupUniformLoad(&broadcast[0]);
  if (tokens_here < 64) {
    let first_stand: i32 = first_query + sizes.segment_0_keys - sizes.queries;
    let own_stand: i32 = first_stand + row_group * 4;
    let segment_0_key_start: i32 = batch * sizes.segment_0_key_batch + key_head * sizes.segment_0_key_head;
    let segment_0_value_start: i32 = batch * sizes.segment_0_value_batch + key_head * sizes.segment_0_value_head;
    for (var tile: i32 = 0; tile < sizes.segment_0_keys; tile += 64) {
      let count: i32 = min(64, sizes.segment_0_keys - tile);
      var score_0: vec4<f32> = vec4<f32>();
      var score_1: vec4<f32> = vec4<f32>();
      var score_2: vec4<f32> = vec4<f32>();
      var score_3: vec4<f32> = vec4<f32>();
      for (var column: i32 = 0; column < 8; column += 8) {
        workgroupBarrier();
        for (var slot: i32 = thread; slot < 32; slot += 64) {
          let row: i32 = slot / 2;
          let part: i32 = slot % 2;
          let from_2: i32 = query_start + (first_query + min(row, rows - 1)) * sizes.query_row;
          let own_column: i32 = column + part * 4;
          staged_queries[part * 18 + row] = query_segment_0_key_segment_0_value_buffer[(sizes.query_offset + from_2 + own_column) >> 2u];
        }
        for (var slot: i32 = thread; slot < 128; slot += 64) {
          let row_2: i32 = slot / 2;
          let part_2: i32 = slot % 2;
          let from_3: i32 = segment_0_key_start + (tile + min(row_2, count - 1)) * sizes.segment_0_key_row;
          let own_column_2: i32 = column + part_2 * 4;
          staged_keys[part_2 * 66 + row_2] = query_segment_0_key_segment_0_value_buffer[(sizes.segment_0_key_offset + from_3 + own_column_2) >> 2u];
        }
        workgroupBarrier();
        for (var part_3: i32 = 0; part_3 < 2; part_3 += 1) {
          let query_0: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 0];
          let query_1: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 1];
          let query_2: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 2];
          let query_3: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 3];
          let key: vec4<f32> = staged_keys[part_3 * 66 + lane];
          score_0 += vec4<f32>(dot(query_0, key), dot(query_1, key), dot(query_2, key), dot(query_3, key));
          let key_2: vec4<f32> = staged_keys[part_3 * 66 + lane + 16];
          score_1 += vec4<f32>(dot(query_0, key_2), dot(query_1, key_2), dot(query_2, key_2), dot(query_3, key_2));
          let key_3: vec4<f32> = staged_keys[part_3 * 66 + lane + 32];
          score_2 += vec4<f32>(dot(query_0, key_3), dot(query_1, key_3), dot(query_2, key_3), dot(query_3, key_3));
          let key_4: vec4<f32> = staged_keys[part_3 * 66 + lane + 48];
          score_3 += vec4<f32>(dot(query_0, key_4), dot(query_1, key_4), dot(query_2, key_4), dot(query_3, key_4));
        }
      }
      let key_5: i32 = tile + min(lane, count - 1);
      score_0 = score_0 * 0.3535533845424652;
      score_0 = select(vec4<f32>((-9.999999680285692e+37)), score_0, (lane < count) & (segment_0_mask_buffer[sizes.segment_0_mask_offset + batch * sizes.segment_0_keys + key_5] != 0));
      let key_6: i32 = tile + min((lane + 16), count - 1);
      score_1 = score_1 * 0.3535533845424652;
      score_1 = select(vec4<f32>((-9.999999680285692e+37)), score_1, ((lane + 16) < count) & (segment_0_mask_buffer[sizes.segment_0_mask_offset + batch * sizes.segment_0_keys + key_6] != 0));
      let key_7: i32 = tile + min((lane + 32), count - 1);
      score_2 = score_2 * 0.3535533845424652;
      score_2 = select(vec4<f32>((-9.999999680285692e+37)), score_2, ((lane + 32) < count) & (segment_0_mask_buffer[sizes.segment_0_mask_offset + batch * sizes.segment_0_keys + key_7] != 0));
      let key_8: i32 = tile + min((lane + 48), count - 1);
      score_3 = score_3 * 0.3535533845424652;
      score_3 = select(vec4<f32>((-9.999999680285692e+37)), score_3, ((lane + 48) < count) & (segment_0_mask_buffer[sizes.segment_0_mask_offset + batch * sizes.segment_0_keys + key_8] != 0));
      var tile_maximum: vec4<f32> = max(max(max(score_0, score_1), score_2), score_3);
      lane_values[thread] = tile_maximum;
      workgroupBarrier();
      let start: i32 = thread / 16 * 16;
      var group_maximum: vec4<f32> = lane_values[start];
      for (var other: i32 = 1; other < 16; other += 1) {
        group_maximum = max(group_maximum, lane_values[start + other]);
      }
      let raised: vec4<f32> = max(maximum, group_maximum);
      let factor: vec4<f32> = exp(maximum - raised);
      maximum = raised;
      total = total * factor;
      sum_0_0 = sum_0_0 * factor.x;
      sum_1_0 = sum_1_0 * factor.y;
      sum_2_0 = sum_2_0 * factor.z;
      sum_3_0 = sum_3_0 * factor.w;
      let weight: vec4<f32> = exp(score_0 - maximum);
      total += weight;
      weights[row_group * 64 + lane] = weight;
      let weight_2: vec4<f32> = exp(score_1 - maximum);
      total += weight_2;
      weights[row_group * 64 + (lane + 16)] = weight_2;
      let weight_3: vec4<f32> = exp(score_2 - maximum);
      total += weight_3;
      weights[row_group * 64 + (lane + 32)] = weight_3;
      let weight_4: vec4<f32> = exp(score_3 - maximum);
      total += weight_4;
      weights[row_group * 64 + (lane + 48)] = weight_4;
      workgroupBarrier();
      for (var number: i32 = split; number < count; number += 8) {
        let weight_5: vec4<f32> = weights[row_group * 64 + number];
        let from_4: i32 = segment_0_value_start + (tile + number) * sizes.segment_0_value_row;
        let value_0: vec4<f32> = query_segment_0_key_segment_0_value_buffer[(sizes.segment_0_value_offset + from_4 + column_lane * 4) >> 2u];
        sum_0_0 += weight_5.x * value_0;
        sum_1_0 += weight_5.y * value_0;
        sum_2_0 += weight_5.z * value_0;
        sum_3_0 += weight_5.w * value_0;
      }
    }
  }
  // Segment 1: clusters
  if (sizes.segment_1_clusters > 0) {
    if (thread == 0) {
      broadcast[0] = segment_0_tokens_segment_1_tokens_buffer[sizes.segment_1_tokens_offset + batch];
    }
    let tokens_here_2: i32 = workgroupUniformLoad(&broadcast[0]);
    if (tokens_here_2 >= 64) {
      let head_index: i32 = batch * sizes.key_heads + key_head;
      let first_cluster: i32 = head_index * sizes.segment_1_capacity;
      let unpadded: i32 = segment_0_tokens_segment_1_tokens_buffer[sizes.segment_1_tokens_offset + batch];
      if (thread == 0) {
        broadcast[0] = max(1, floor_divide(((unpadded * 3) + 16), 32));
      }
      let wanted: i32 = workgroupUniformLoad(&broadcast[0]);
      if (wanted <= 0) {
        for (var tile: i32 = 0; tile < sizes.segment_1_clusters; tile += 64) {
          let count_2: i32 = min(64, sizes.segment_1_clusters - tile);
          var score_0_2: vec4<f32> = vec4<f32>();
          var score_1_2: vec4<f32> = vec4<f32>();
          var score_2_2: vec4<f32> = vec4<f32>();
          var score_3_2: vec4<f32> = vec4<f32>();
          for (var column: i32 = 0; column < 8; column += 8) {
            workgroupBarrier();
            for (var slot: i32 = thread; slot < 32; slot += 64) {
              let row_3: i32 = slot / 2;
              let part_3: i32 = slot % 2;
              let from_5: i32 = query_start + (first_query + min(row_3, rows - 1)) * sizes.query_row;
              let own_column_3: i32 = column + part_3 * 4;
              staged_queries[part_3 * 18 + row_3] = query_segment_0_key_segment_0_value_buffer[(sizes.query_offset + from_5 + own_column_3) >> 2u];
            }
            for (var slot: i32 = thread; slot < 128; slot += 64) {
              let row_4: i32 = slot / 2;
              let part_4: i32 = slot % 2;
              let from_6: i32 = (first_cluster + (tile + min(row_4, count_2 - 1))) * 8;
              let own_column_4: i32 = column + part_4 * 4;
              staged_keys[part_4 * 66 + row_4] = vec4<f32>(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_key_offset + from_6 + own_column_4]), bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_key_offset + from_6 + own_column_4 + 1]), bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_key_offset + from_6 + own_column_4 + 2]), bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_key_offset + from_6 + own_column_4 + 3]));
            }
            workgroupBarrier();
            for (var part_5: i32 = 0; part_5 < 2; part_5 += 1) {
              let query_0_2: vec4<f32> = staged_queries[part_5 * 18 + row_group * 4 + 0];
              let query_1_2: vec4<f32> = staged_queries[part_5 * 18 + row_group * 4 + 1];
              let query_2_2: vec4<f32> = staged_queries[part_5 * 18 + row_group * 4 + 2];
              let query_3_2: vec4<f32> = staged_queries[part_5 * 18 + row_group * 4 + 3];
              let key_9: vec4<f32> = staged_keys[part_5 * 66 + lane];
              score_0_2 += vec4<f32>(dot(query_0_2, key_9), dot(query_1_2, key_9), dot(query_2_2, key_9), dot(query_3_2, key_9));
              let key_10: vec4<f32> = staged_keys[part_5 * 66 + lane + 16];
              score_1_2 += vec4<f32>(dot(query_0_2, key_10), dot(query_1_2, key_10), dot(query_2_2, key_10), dot(query_3_2, key_10));
              let key_11: vec4<f32> = staged_keys[part_5 * 66 + lane + 32];
              score_2_2 += vec4<f32>(dot(query_0_2, key_11), dot(query_1_2, key_11), dot(query_2_2, key_11), dot(query_3_2, key_11));
              let key_12: vec4<f32> = staged_keys[part_5 * 66 + lane + 48];
              score_3_2 += vec4<f32>(dot(query_0_2, key_12), dot(query_1_2, key_12), dot(query_2_2, key_12), dot(query_3_2, key_12));
            }
          }
          let key_13: i32 = tile + min(lane, count_2 - 1);
          score_0_2 = score_0_2 * 0.3535533845424652 + vec4<f32>(max(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + key_13]), (-9.999999680285692e+37)));
          score_0_2 = select(vec4<f32>((-9.999999680285692e+37)), score_0_2, lane < count_2);
          let key_14: i32 = tile + min((lane + 16), count_2 - 1);
          score_1_2 = score_1_2 * 0.3535533845424652 + vec4<f32>(max(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + key_14]), (-9.999999680285692e+37)));
          score_1_2 = select(vec4<f32>((-9.999999680285692e+37)), score_1_2, (lane + 16) < count_2);
          let key_15: i32 = tile + min((lane + 32), count_2 - 1);
          score_2_2 = score_2_2 * 0.3535533845424652 + vec4<f32>(max(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + key_15]), (-9.999999680285692e+37)));
          score_2_2 = select(vec4<f32>((-9.999999680285692e+37)), score_2_2, (lane + 32) < count_2);
          let key_16: i32 = tile + min((lane + 48), count_2 - 1);
          score_3_2 = score_3_2 * 0.3535533845424652 + vec4<f32>(max(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + key_16]), (-9.999999680285692e+37)));
          score_3_2 = select(vec4<f32>((-9.999999680285692e+37)), score_3_2, (lane + 48) < count_2);
          var tile_maximum_2: vec4<f32> = max(max(max(score_0_2, score_1_2), score_2_2), score_3_2);
          lane_values[thread] = tile_maximum_2;
          workgroupBarrier();
          let start_2: i32 = thread / 16 * 16;
          var group_maximum_2: vec4<f32> = lane_values[start_2];
          for (var other: i32 = 1; other < 16; other += 1) {
            group_maximum_2 = max(group_maximum_2, lane_values[start_2 + other]);
          }
          let raised_2: vec4<f32> = max(maximum, group_maximum_2);
          let factor_2: vec4<f32> = exp(maximum - raised_2);
          maximum = raised_2;
          total = total * factor_2;
          sum_0_0 = sum_0_0 * factor_2.x;
          sum_1_0 = sum_1_0 * factor_2.y;
          sum_2_0 = sum_2_0 * factor_2.z;
          sum_3_0 = sum_3_0 * factor_2.w;
          let weight_6: vec4<f32> = exp(score_0_2 - maximum);
          total += weight_6;
          weights[row_group * 64 + lane] = weight_6;
          let weight_7: vec4<f32> = exp(score_1_2 - maximum);
          total += weight_7;
          weights[row_group * 64 + (lane + 16)] = weight_7;
          let weight_8: vec4<f32> = exp(score_2_2 - maximum);
          total += weight_8;
          weights[row_group * 64 + (lane + 32)] = weight_8;
          let weight_9: vec4<f32> = exp(score_3_2 - maximum);
          total += weight_9;
          weights[row_group * 64 + (lane + 48)] = weight_9;
          workgroupBarrier();
          for (var number: i32 = split; number < count_2; number += 8) {
            let weight_10: vec4<f32> = weights[row_group * 64 + number];
            let from_7: i32 = (first_cluster + (tile + number)) * 8;
            let value_0_2: vec4<f32> = vec4<f32>(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_value_offset + from_7 + column_lane * 4]), bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_value_offset + from_7 + column_lane * 4 + 1]), bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_value_offset + from_7 + column_lane * 4 + 2]), bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_value_offset + from_7 + column_lane * 4 + 3]));
            sum_0_0 += weight_10.x * value_0_2;
            sum_1_0 += weight_10.y * value_0_2;
            sum_2_0 += weight_10.z * value_0_2;
            sum_3_0 += weight_10.w * value_0_2;
          }
        }
      } else {
        var squares: vec4<f32> = vec4<f32>();
        let query_start_2: i32 = query_start + (first_query + min((row_group * 4 + 0), rows - 1)) * sizes.query_row;
        for (var column: i32 = 0; column < 8; column += 1) {
          let element: f32 = query_segment_0_key_segment_0_value_buffer[(sizes.query_offset + query_start_2 + column) >> 2u][(sizes.query_offset + query_start_2 + column) & 3];
          squares.x += element * element;
        }
        let query_start_3: i32 = query_start + (first_query + min((row_group * 4 + 1), rows - 1)) * sizes.query_row;
        for (var column: i32 = 0; column < 8; column += 1) {
          let element_2: f32 = query_segment_0_key_segment_0_value_buffer[(sizes.query_offset + query_start_3 + column) >> 2u][(sizes.query_offset + query_start_3 + column) & 3];
          squares.y += element_2 * element_2;
        }
        let query_start_4: i32 = query_start + (first_query + min((row_group * 4 + 2), rows - 1)) * sizes.query_row;
        for (var column: i32 = 0; column < 8; column += 1) {
          let element_3: f32 = query_segment_0_key_segment_0_value_buffer[(sizes.query_offset + query_start_4 + column) >> 2u][(sizes.query_offset + query_start_4 + column) & 3];
          squares.z += element_3 * element_3;
        }
        let query_start_5: i32 = query_start + (first_query + min((row_group * 4 + 3), rows - 1)) * sizes.query_row;
        for (var column: i32 = 0; column < 8; column += 1) {
          let element_4: f32 = query_segment_0_key_segment_0_value_buffer[(sizes.query_offset + query_start_5 + column) >> 2u][(sizes.query_offset + query_start_5 + column) & 3];
          squares.w += element_4 * element_4;
        }
        var top: vec4<f32> = vec4<f32>((-3.0000000054977558e+38));
        var own_sum: vec4<f32> = vec4<f32>();
        for (var tile: i32 = 0; tile < sizes.segment_1_clusters; tile += 64) {
          let count_3: i32 = min(64, sizes.segment_1_clusters - tile);
          var score_0_3: vec4<f32> = vec4<f32>();
          var score_1_3: vec4<f32> = vec4<f32>();
          var score_2_3: vec4<f32> = vec4<f32>();
          var score_3_3: vec4<f32> = vec4<f32>();
          for (var column: i32 = 0; column < 8; column += 8) {
            workgroupBarrier();
            for (var slot: i32 = thread; slot < 32; slot += 64) {
              let row_5: i32 = slot / 2;
              let part_5: i32 = slot % 2;
              let from_8: i32 = query_start + (first_query + min(row_5, rows - 1)) * sizes.query_row;
              let own_column_5: i32 = column + part_5 * 4;
              staged_queries[part_5 * 18 + row_5] = query_segment_0_key_segment_0_value_buffer[(sizes.query_offset + from_8 + own_column_5) >> 2u];
            }
            for (var slot: i32 = thread; slot < 128; slot += 64) {
              let row_6: i32 = slot / 2;
              let part_6: i32 = slot % 2;
              let from_9: i32 = (first_cluster + (tile + min(row_6, count_3 - 1))) * 8;
              let own_column_6: i32 = column + part_6 * 4;
              staged_keys[part_6 * 66 + row_6] = vec4<f32>(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_key_offset + from_9 + own_column_6]), bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_key_offset + from_9 + own_column_6 + 1]), bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_key_offset + from_9 + own_column_6 + 2]), bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_key_offset + from_9 + own_column_6 + 3]));
            }
            workgroupBarrier();
            for (var part_7: i32 = 0; part_7 < 2; part_7 += 1) {
              let query_0_3: vec4<f32> = staged_queries[part_7 * 18 + row_group * 4 + 0];
              let query_1_3: vec4<f32> = staged_queries[part_7 * 18 + row_group * 4 + 1];
              let query_2_3: vec4<f32> = staged_queries[part_7 * 18 + row_group * 4 + 2];
              let query_3_3: vec4<f32> = staged_queries[part_7 * 18 + row_group * 4 + 3];
              let key_17: vec4<f32> = staged_keys[part_7 * 66 + lane];
              score_0_3 += vec4<f32>(dot(query_0_3, key_17), dot(query_1_3, key_17), dot(query_2_3, key_17), dot(query_3_3, key_17));
              let key_18: vec4<f32> = staged_keys[part_7 * 66 + lane + 16];
              score_1_3 += vec4<f32>(dot(query_0_3, key_18), dot(query_1_3, key_18), dot(query_2_3, key_18), dot(query_3_3, key_18));
              let key_19: vec4<f32> = staged_keys[part_7 * 66 + lane + 32];
              score_2_3 += vec4<f32>(dot(query_0_3, key_19), dot(query_1_3, key_19), dot(query_2_3, key_19), dot(query_3_3, key_19));
              let key_20: vec4<f32> = staged_keys[part_7 * 66 + lane + 48];
              score_3_3 += vec4<f32>(dot(query_0_3, key_20), dot(query_1_3, key_20), dot(query_2_3, key_20), dot(query_3_3, key_20));
            }
          }
          if (lane < count_3) {
            let cluster: i32 = tile + lane;
            let spread: f32 = 0.0078125 * bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_radius_offset + first_cluster + cluster]);
            var estimate: vec4<f32> = vec4<f32>((-3.0000000054977558e+38));
            if (!(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + cluster]) < (-9.999999680285692e+37))) {
              estimate = score_0_3 * 0.3535533845424652 + vec4<f32>(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + cluster])) + squares * spread;
            }
            let raised_3: vec4<f32> = max(top, estimate);
            own_sum = own_sum * exp(top - raised_3) + exp(estimate - raised_3);
            top = raised_3;
          }
          if ((lane + 16) < count_3) {
            let cluster_2: i32 = tile + (lane + 16);
            let spread_2: f32 = 0.0078125 * bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_radius_offset + first_cluster + cluster_2]);
            var estimate_2: vec4<f32> = vec4<f32>((-3.0000000054977558e+38));
            if (!(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + cluster_2]) < (-9.999999680285692e+37))) {
              estimate_2 = score_1_3 * 0.3535533845424652 + vec4<f32>(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + cluster_2])) + squares * spread_2;
            }
            let raised_4: vec4<f32> = max(top, estimate_2);
            own_sum = own_sum * exp(top - raised_4) + exp(estimate_2 - raised_4);
            top = raised_4;
          }
          if ((lane + 32) < count_3) {
            let cluster_3: i32 = tile + (lane + 32);
            let spread_3: f32 = 0.0078125 * bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_radius_offset + first_cluster + cluster_3]);
            var estimate_3: vec4<f32> = vec4<f32>((-3.0000000054977558e+38));
            if (!(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + cluster_3]) < (-9.999999680285692e+37))) {
              estimate_3 = score_2_3 * 0.3535533845424652 + vec4<f32>(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + cluster_3])) + squares * spread_3;
            }
            let raised_5: vec4<f32> = max(top, estimate_3);
            own_sum = own_sum * exp(top - raised_5) + exp(estimate_3 - raised_5);
            top = raised_5;
          }
          if ((lane + 48) < count_3) {
            let cluster_4: i32 = tile + (lane + 48);
            let spread_4: f32 = 0.0078125 * bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_radius_offset + first_cluster + cluster_4]);
            var estimate_4: vec4<f32> = vec4<f32>((-3.0000000054977558e+38));
            if (!(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + cluster_4]) < (-9.999999680285692e+37))) {
              estimate_4 = score_3_3 * 0.3535533845424652 + vec4<f32>(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + cluster_4])) + squares * spread_4;
            }
            let raised_6: vec4<f32> = max(top, estimate_4);
            own_sum = own_sum * exp(top - raised_6) + exp(estimate_4 - raised_6);
            top = raised_6;
          }
        }
        workgroupBarrier();
        lane_values[thread] = top;
        workgroupBarrier();
        let start_3: i32 = thread / 16 * 16;
        var largest: vec4<f32> = lane_values[start_3];
        for (var other: i32 = 1; other < 16; other += 1) {
          largest = max(largest, lane_values[start_3 + other]);
        }
        workgroupBarrier();
        lane_values[thread] = own_sum * exp(top - largest);
        workgroupBarrier();
        let start_4: i32 = thread / 16 * 16;
        var estimates_sum: vec4<f32> = lane_values[start_4];
        for (var other: i32 = 1; other < 16; other += 1) {
          estimates_sum = estimates_sum + lane_values[start_4 + other];
        }
        // padded queries have no say where there are others
        let offset: vec4<f32> = vec4<f32>(select(select((-9.999999680285692e+37), (-9.999999933815813e+36), (first_query >= unpadded || first_query + row_group * 4 + 0 < unpadded)), 0.5 * log(squares.x) - largest.x - log(estimates_sum.x), (first_query >= unpadded || first_query + row_group * 4 + 0 < unpadded) && squares.x > 0.0), select(select((-9.999999680285692e+37), (-9.999999933815813e+36), (first_query >= unpadded || first_query + row_group * 4 + 1 < unpadded)), 0.5 * log(squares.y) - largest.y - log(estimates_sum.y), (first_query >= unpadded || first_query + row_group * 4 + 1 < unpadded) && squares.y > 0.0), select(select((-9.999999680285692e+37), (-9.999999933815813e+36), (first_query >= unpadded || first_query + row_group * 4 + 2 < unpadded)), 0.5 * log(squares.z) - largest.z - log(estimates_sum.z), (first_query >= unpadded || first_query + row_group * 4 + 2 < unpadded) && squares.z > 0.0), select(select((-9.999999680285692e+37), (-9.999999933815813e+36), (first_query >= unpadded || first_query + row_group * 4 + 3 < unpadded)), 0.5 * log(squares.w) - largest.w - log(estimates_sum.w), (first_query >= unpadded || first_query + row_group * 4 + 3 < unpadded) && squares.w > 0.0));
        var largest_ranking: f32 = (-3.0000000054977558e+38);
        for (var tile: i32 = 0; tile < sizes.segment_1_clusters; tile += 64) {
          let count_4: i32 = min(64, sizes.segment_1_clusters - tile);
          var score_0_4: vec4<f32> = vec4<f32>();
          var score_1_4: vec4<f32> = vec4<f32>();
          var score_2_4: vec4<f32> = vec4<f32>();
          var score_3_4: vec4<f32> = vec4<f32>();
          for (var column: i32 = 0; column < 8; column += 8) {
            workgroupBarrier();
            for (var slot: i32 = thread; slot < 32; slot += 64) {
              let row_7: i32 = slot / 2;
              let part_7: i32 = slot % 2;
              let from_10: i32 = query_start + (first_query + min(row_7, rows - 1)) * sizes.query_row;
              let own_column_7: i32 = column + part_7 * 4;
              staged_queries[part_7 * 18 + row_7] = query_segment_0_key_segment_0_value_buffer[(sizes.query_offset + from_10 + own_column_7) >> 2u];
            }
            for (var slot: i32 = thread; slot < 128; slot += 64) {
              let row_8: i32 = slot / 2;
              let part_8: i32 = slot % 2;
              let from_11: i32 = (first_cluster + (tile + min(row_8, count_4 - 1))) * 8;
              let own_column_8: i32 = column + part_8 * 4;
              staged_keys[part_8 * 66 + row_8] = vec4<f32>(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_key_offset + from_11 + own_column_8]), bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_key_offset + from_11 + own_column_8 + 1]), bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_key_offset + from_11 + own_column_8 + 2]), bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_key_offset + from_11 + own_column_8 + 3]));
            }
            workgroupBarrier();
            for (var part_9: i32 = 0; part_9 < 2; part_9 += 1) {
              let query_0_4: vec4<f32> = staged_queries[part_9 * 18 + row_group * 4 + 0];
              let query_1_4: vec4<f32> = staged_queries[part_9 * 18 + row_group * 4 + 1];
              let query_2_4: vec4<f32> = staged_queries[part_9 * 18 + row_group * 4 + 2];
              let query_3_4: vec4<f32> = staged_queries[part_9 * 18 + row_group * 4 + 3];
              let key_21: vec4<f32> = staged_keys[part_9 * 66 + lane];
              score_0_4 += vec4<f32>(dot(query_0_4, key_21), dot(query_1_4, key_21), dot(query_2_4, key_21), dot(query_3_4, key_21));
              let key_22: vec4<f32> = staged_keys[part_9 * 66 + lane + 16];
              score_1_4 += vec4<f32>(dot(query_0_4, key_22), dot(query_1_4, key_22), dot(query_2_4, key_22), dot(query_3_4, key_22));
              let key_23: vec4<f32> = staged_keys[part_9 * 66 + lane + 32];
              score_2_4 += vec4<f32>(dot(query_0_4, key_23), dot(query_1_4, key_23), dot(query_2_4, key_23), dot(query_3_4, key_23));
              let key_24: vec4<f32> = staged_keys[part_9 * 66 + lane + 48];
              score_3_4 += vec4<f32>(dot(query_0_4, key_24), dot(query_1_4, key_24), dot(query_2_4, key_24), dot(query_3_4, key_24));
            }
          }
          if (lane < count_4) {
            let cluster_5: i32 = tile + lane;
            let spread_5: f32 = 0.0078125 * bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_radius_offset + first_cluster + cluster_5]);
            var estimate_5: vec4<f32> = vec4<f32>((-3.0000000054977558e+38));
            if (!(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + cluster_5]) < (-9.999999680285692e+37))) {
              estimate_5 = score_0_4 * 0.3535533845424652 + vec4<f32>(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + cluster_5])) + squares * spread_5;
            }
            let ranked: vec4<f32> = estimate_5 + offset;
            group_rankings[row_group * 64 + lane] = max(max(max(ranked.x, ranked.y), ranked.z), ranked.w);
          }
          if ((lane + 16) < count_4) {
            let cluster_6: i32 = tile + (lane + 16);
            let spread_6: f32 = 0.0078125 * bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_radius_offset + first_cluster + cluster_6]);
            var estimate_6: vec4<f32> = vec4<f32>((-3.0000000054977558e+38));
            if (!(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + cluster_6]) < (-9.999999680285692e+37))) {
              estimate_6 = score_1_4 * 0.3535533845424652 + vec4<f32>(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + cluster_6])) + squares * spread_6;
            }
            let ranked_2: vec4<f32> = estimate_6 + offset;
            group_rankings[row_group * 64 + (lane + 16)] = max(max(max(ranked_2.x, ranked_2.y), ranked_2.z), ranked_2.w);
          }
          if ((lane + 32) < count_4) {
            let cluster_7: i32 = tile + (lane + 32);
            let spread_7: f32 = 0.0078125 * bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_radius_offset + first_cluster + cluster_7]);
            var estimate_7: vec4<f32> = vec4<f32>((-3.0000000054977558e+38));
            if (!(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + cluster_7]) < (-9.999999680285692e+37))) {
              estimate_7 = score_2_4 * 0.3535533845424652 + vec4<f32>(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + cluster_7])) + squares * spread_7;
            }
            let ranked_3: vec4<f32> = estimate_7 + offset;
            group_rankings[row_group * 64 + (lane + 32)] = max(max(max(ranked_3.x, ranked_3.y), ranked_3.z), ranked_3.w);
          }
          if ((lane + 48) < count_4) {
            let cluster_8: i32 = tile + (lane + 48);
            let spread_8: f32 = 0.0078125 * bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_radius_offset + first_cluster + cluster_8]);
            var estimate_8: vec4<f32> = vec4<f32>((-3.0000000054977558e+38));
            if (!(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + cluster_8]) < (-9.999999680285692e+37))) {
              estimate_8 = score_3_4 * 0.3535533845424652 + vec4<f32>(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + cluster_8])) + squares * spread_8;
            }
            let ranked_4: vec4<f32> = estimate_8 + offset;
            group_rankings[row_group * 64 + (lane + 48)] = max(max(max(ranked_4.x, ranked_4.y), ranked_4.z), ranked_4.w);
          }
          workgroupBarrier();
          for (var number: i32 = thread; number < count_4; number += 64) {
            let cluster_9: i32 = tile + number;
            let radius: f32 = bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_radius_offset + first_cluster + cluster_9]);
            let ranking: f32 = select(max(max(max(group_rankings[0 + number], group_rankings[64 + number]), group_rankings[128 + number]), group_rankings[192 + number]) + select((-9.999999933815813e+36), 0.5 * log(radius), radius > 0.0), (-3.0000000054977558e+38), bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + cluster_9]) < (-9.999999680285692e+37));
            scratch[(scratch_start) + cluster_9 * 1] = ranking;
            largest_ranking = max(largest_ranking, ranking);
          }
        }
        storageBarrier();
        workgroupBarrier();
        largest_rankings[thread] = largest_ranking;
        workgroupBarrier();
        for (var other: i32 = 0; other < 64; other += 1) {
          largest_ranking = max(largest_ranking, largest_rankings[other]);
        }
        var own_count: vec4<f32> = vec4<f32>();
        for (var index: i32 = thread; index < sizes.segment_1_clusters; index += 64) {
          let ranked_5: f32 = scratch[(scratch_start) + index * 1];
          own_count.x += select(0.0, 1.0, ranked_5 > (-3.0000000054977558e+38));
        }
        workgroupBarrier();
        lane_values[thread] = own_count;
        workgroupBarrier();
        let start_5: i32 = thread / 16 * 16;
        var all_counts: vec4<f32> = lane_values[start_5];
        for (var other: i32 = 1; other < 16; other += 1) {
          all_counts = all_counts + lane_values[start_5 + other];
        }
        if (thread % 16 == 0) {
          block_values[thread / 16] = all_counts;
        }
        workgroupBarrier();
        let start_6: i32 = thread / 64 * 4;
        var all_counts_2: vec4<f32> = block_values[start_6];
        for (var other: i32 = 1; other < 4; other += 1) {
          all_counts_2 = all_counts_2 + block_values[start_6 + other];
        }
        let counted: i32 = i32(all_counts_2.x);
        var threshold: f32 = (-3.0000000054977558e+38);
        var equals: i32 = i32();
        var is_done: bool = counted <= wanted;
        var low: i32 = ordered_integer((-3.0000000054977558e+38));
        var high: i32 = ordered_integer(largest_ranking);
        var above: i32 = i32();
        if (thread == 0) {
          pending[thread / 64] = select(0, 1, !is_done);
        }
        workgroupBarrier();
        if (thread == 0) {
          broadcast[0] = pending[0];
        }
        let how_many: i32 = workgroupUniformLoad(&broadcast[0]);
        var pending_choices: i32 = how_many;
        while (pending_choices > 0) {
          let middle: i32 = (low & high) + ((low ^ high) >> 1u);
          let middle_value: f32 = ordered_float(middle);
          var own_count_2: vec4<f32> = vec4<f32>();
          for (var index: i32 = thread; index < sizes.segment_1_clusters; index += 64) {
            let ranked_6: f32 = scratch[(scratch_start) + index * 1];
            own_count_2.x += select(0.0, 1.0, ranked_6 > middle_value);
          }
          workgroupBarrier();
          lane_values[thread] = own_count_2;
          workgroupBarrier();
          let start_7: i32 = thread / 16 * 16;
          var all_counts_3: vec4<f32> = lane_values[start_7];
          for (var other: i32 = 1; other < 16; other += 1) {
            all_counts_3 = all_counts_3 + lane_values[start_7 + other];
          }
          if (thread % 16 == 0) {
            block_values[thread / 16] = all_counts_3;
          }
          workgroupBarrier();
          let start_8: i32 = thread / 64 * 4;
          var all_counts_4: vec4<f32> = block_values[start_8];
          for (var other: i32 = 1; other < 4; other += 1) {
            all_counts_4 = all_counts_4 + block_values[start_8 + other];
          }
          let counted_2: i32 = i32(all_counts_4.x);
          if (!is_done) {
            if (counted_2 > wanted) {
              low = middle;
            }
            if (counted_2 <= wanted) {
              high = middle;
              above = counted_2;
            }
            if (counted_2 == wanted || low + 1 >= high) {
              is_done = true;
              threshold = ordered_float(high);
              equals = wanted - above;
            }
          }
          if (thread == 0) {
            pending[thread / 64] = select(0, 1, !is_done);
          }
          workgroupBarrier();
          if (thread == 0) {
            broadcast[0] = pending[0];
          }
          let how_many_2: i32 = workgroupUniformLoad(&broadcast[0]);
          pending_choices = how_many_2;
        }
        var end_of_equals: i32 = i32();
        if (thread == 0) {
          pending[thread / 64] = select(0, 1, equals > 0);
        }
        workgroupBarrier();
        if (thread == 0) {
          broadcast[0] = pending[0];
        }
        let how_many_3: i32 = workgroupUniformLoad(&broadcast[0]);
        if (how_many_3 > 0) {
          // of those that equal the threshold, the first
          var first: i32 = i32();
          end_of_equals = sizes.segment_1_clusters;
          var width: i32 = sizes.segment_1_clusters;
          while (width > 1) {
            let middle_2: i32 = (first + end_of_equals) / 2;
            var own_count_3: vec4<f32> = vec4<f32>();
            for (var index: i32 = thread; index < sizes.segment_1_clusters; index += 64) {
              let ranked_7: f32 = scratch[(scratch_start) + index * 1];
              own_count_3.x += select(0.0, 1.0, ranked_7 == threshold && index < middle_2);
            }
            workgroupBarrier();
            lane_values[thread] = own_count_3;
            workgroupBarrier();
            let start_9: i32 = thread / 16 * 16;
            var all_counts_5: vec4<f32> = lane_values[start_9];
            for (var other: i32 = 1; other < 16; other += 1) {
              all_counts_5 = all_counts_5 + lane_values[start_9 + other];
            }
            if (thread % 16 == 0) {
              block_values[thread / 16] = all_counts_5;
            }
            workgroupBarrier();
            let start_10: i32 = thread / 64 * 4;
            var all_counts_6: vec4<f32> = block_values[start_10];
            for (var other: i32 = 1; other < 4; other += 1) {
              all_counts_6 = all_counts_6 + block_values[start_10 + other];
            }
            let counted_3: i32 = i32(all_counts_6.x);
            if (counted_3 >= equals) {
              end_of_equals = middle_2;
            } else {
              first = middle_2;
            }
            width = (width + 1) / 2;
          }
          end_of_equals = select(0, end_of_equals, equals > 0);
        }
        for (var tile: i32 = 0; tile < sizes.segment_1_clusters; tile += 64) {
          let count_5: i32 = min(64, sizes.segment_1_clusters - tile);
          var score_0_5: vec4<f32> = vec4<f32>();
          var score_1_5: vec4<f32> = vec4<f32>();
          var score_2_5: vec4<f32> = vec4<f32>();
          var score_3_5: vec4<f32> = vec4<f32>();
          for (var column: i32 = 0; column < 8; column += 8) {
            workgroupBarrier();
            for (var slot: i32 = thread; slot < 32; slot += 64) {
              let row_9: i32 = slot / 2;
              let part_9: i32 = slot % 2;
              let from_12: i32 = query_start + (first_query + min(row_9, rows - 1)) * sizes.query_row;
              let own_column_9: i32 = column + part_9 * 4;
              staged_queries[part_9 * 18 + row_9] = query_segment_0_key_segment_0_value_buffer[(sizes.query_offset + from_12 + own_column_9) >> 2u];
            }
            for (var slot: i32 = thread; slot < 128; slot += 64) {
              let row_10: i32 = slot / 2;
              let part_10: i32 = slot % 2;
              let from_13: i32 = (first_cluster + (tile + min(row_10, count_5 - 1))) * 8;
              let own_column_10: i32 = column + part_10 * 4;
              staged_keys[part_10 * 66 + row_10] = vec4<f32>(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_key_offset + from_13 + own_column_10]), bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_key_offset + from_13 + own_column_10 + 1]), bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_key_offset + from_13 + own_column_10 + 2]), bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_key_offset + from_13 + own_column_10 + 3]));
            }
            workgroupBarrier();
            for (var part_11: i32 = 0; part_11 < 2; part_11 += 1) {
              let query_0_5: vec4<f32> = staged_queries[part_11 * 18 + row_group * 4 + 0];
              let query_1_5: vec4<f32> = staged_queries[part_11 * 18 + row_group * 4 + 1];
              let query_2_5: vec4<f32> = staged_queries[part_11 * 18 + row_group * 4 + 2];
              let query_3_5: vec4<f32> = staged_queries[part_11 * 18 + row_group * 4 + 3];
              let key_25: vec4<f32> = staged_keys[part_11 * 66 + lane];
              score_0_5 += vec4<f32>(dot(query_0_5, key_25), dot(query_1_5, key_25), dot(query_2_5, key_25), dot(query_3_5, key_25));
              let key_26: vec4<f32> = staged_keys[part_11 * 66 + lane + 16];
              score_1_5 += vec4<f32>(dot(query_0_5, key_26), dot(query_1_5, key_26), dot(query_2_5, key_26), dot(query_3_5, key_26));
              let key_27: vec4<f32> = staged_keys[part_11 * 66 + lane + 32];
              score_2_5 += vec4<f32>(dot(query_0_5, key_27), dot(query_1_5, key_27), dot(query_2_5, key_27), dot(query_3_5, key_27));
              let key_28: vec4<f32> = staged_keys[part_11 * 66 + lane + 48];
              score_3_5 += vec4<f32>(dot(query_0_5, key_28), dot(query_1_5, key_28), dot(query_2_5, key_28), dot(query_3_5, key_28));
            }
          }
          let key_29: i32 = tile + min(lane, count_5 - 1);
          score_0_5 = score_0_5 * 0.3535533845424652 + vec4<f32>(max(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + key_29]), (-9.999999680285692e+37)));
          score_0_5 = select(vec4<f32>((-9.999999680285692e+37)), score_0_5, (lane < count_5) & (!(scratch[(scratch_start) + key_29 * 1] > threshold || (scratch[(scratch_start) + key_29 * 1] == threshold && key_29 < end_of_equals))));
          let key_30: i32 = tile + min((lane + 16), count_5 - 1);
          score_1_5 = score_1_5 * 0.3535533845424652 + vec4<f32>(max(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + key_30]), (-9.999999680285692e+37)));
          score_1_5 = select(vec4<f32>((-9.999999680285692e+37)), score_1_5, ((lane + 16) < count_5) & (!(scratch[(scratch_start) + key_30 * 1] > threshold || (scratch[(scratch_start) + key_30 * 1] == threshold && key_30 < end_of_equals))));
          let key_31: i32 = tile + min((lane + 32), count_5 - 1);
          score_2_5 = score_2_5 * 0.3535533845424652 + vec4<f32>(max(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + key_31]), (-9.999999680285692e+37)));
          score_2_5 = select(vec4<f32>((-9.999999680285692e+37)), score_2_5, ((lane + 32) < count_5) & (!(scratch[(scratch_start) + key_31 * 1] > threshold || (scratch[(scratch_start) + key_31 * 1] == threshold && key_31 < end_of_equals))));
          let key_32: i32 = tile + min((lane + 48), count_5 - 1);
          score_3_5 = score_3_5 * 0.3535533845424652 + vec4<f32>(max(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_log_mass_offset + first_cluster + key_32]), (-9.999999680285692e+37)));
          score_3_5 = select(vec4<f32>((-9.999999680285692e+37)), score_3_5, ((lane + 48) < count_5) & (!(scratch[(scratch_start) + key_32 * 1] > threshold || (scratch[(scratch_start) + key_32 * 1] == threshold && key_32 < end_of_equals))));
          var tile_maximum_3: vec4<f32> = max(max(max(score_0_5, score_1_5), score_2_5), score_3_5);
          lane_values[thread] = tile_maximum_3;
          workgroupBarrier();
          let start_11: i32 = thread / 16 * 16;
          var group_maximum_3: vec4<f32> = lane_values[start_11];
          for (var other: i32 = 1; other < 16; other += 1) {
            group_maximum_3 = max(group_maximum_3, lane_values[start_11 + other]);
          }
          let raised_7: vec4<f32> = max(maximum, group_maximum_3);
          let factor_3: vec4<f32> = exp(maximum - raised_7);
          maximum = raised_7;
          total = total * factor_3;
          sum_0_0 = sum_0_0 * factor_3.x;
          sum_1_0 = sum_1_0 * factor_3.y;
          sum_2_0 = sum_2_0 * factor_3.z;
          sum_3_0 = sum_3_0 * factor_3.w;
          let weight_11: vec4<f32> = exp(score_0_5 - maximum);
          total += weight_11;
          weights[row_group * 64 + lane] = weight_11;
          let weight_12: vec4<f32> = exp(score_1_5 - maximum);
          total += weight_12;
          weights[row_group * 64 + (lane + 16)] = weight_12;
          let weight_13: vec4<f32> = exp(score_2_5 - maximum);
          total += weight_13;
          weights[row_group * 64 + (lane + 32)] = weight_13;
          let weight_14: vec4<f32> = exp(score_3_5 - maximum);
          total += weight_14;
          weights[row_group * 64 + (lane + 48)] = weight_14;
          workgroupBarrier();
          for (var number: i32 = split; number < count_5; number += 8) {
            let weight_15: vec4<f32> = weights[row_group * 64 + number];
            let from_14: i32 = (first_cluster + (tile + number)) * 8;
            let value_0_3: vec4<f32> = vec4<f32>(bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_value_offset + from_14 + column_lane * 4]), bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_value_offset + from_14 + column_lane * 4 + 1]), bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_value_offset + from_14 + column_lane * 4 + 2]), bitcast<f32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_mean_value_offset + from_14 + column_lane * 4 + 3]));
            sum_0_0 += weight_15.x * value_0_3;
            sum_1_0 += weight_15.y * value_0_3;
            sum_2_0 += weight_15.z * value_0_3;
            sum_3_0 += weight_15.w * value_0_3;
          }
        }
        let sorted_key_first: i32 = head_index * sizes.segment_1_keys;
        let sorted_value_first: i32 = head_index * sizes.segment_1_keys;
        if (thread == 0) {
          thresholds[0] = threshold;
          ends_of_equals[0] = end_of_equals;
        }
        storageBarrier();
        workgroupBarrier();
        var listed: i32 = i32();
        for (var first_2: i32 = 0; first_2 < sizes.segment_1_clusters; first_2 += 64) {
          let cluster_10: i32 = first_2 + thread;
          var flag: i32 = i32();
          if (cluster_10 < sizes.segment_1_clusters) {
            for (var chooser: i32 = 0; chooser < 1; chooser += 1) {
              let ranking_2: f32 = scratch[(scratch_start) + cluster_10 * 1 + chooser];
              if ((ranking_2 > thresholds[chooser] || (ranking_2 == thresholds[chooser] && cluster_10 < ends_of_equals[chooser]))) {
                flag = 1;
              }
            }
          }
          flags[thread] = flag;
          workgroupBarrier();
          var place: i32 = listed;
          for (var other: i32 = 0; other < 64; other += 1) {
            listed += flags[other];
            if (other < thread) {
              place += flags[other];
            }
          }
          if (flag == 1) {
            scratch[(scratch_start) + 1 * sizes.segment_1_capacity + place] = f32(cluster_10);
          }
          workgroupBarrier();
        }
        storageBarrier();
        if (thread == 0) {
          broadcast[0] = listed;
        }
        let chosen_clusters: i32 = workgroupUniformLoad(&broadcast[0]);
        for (var run: i32 = 0; run < chosen_clusters; run += 64) {
          // as many clusters as there are threads: how many tokens they have, one behind the other
          var size: i32 = i32();
          var first_token: i32 = i32();
          workgroupBarrier();
          if (run + thread < chosen_clusters) {
            let cluster_11: i32 = i32(scratch[(scratch_start) + 1 * sizes.segment_1_capacity + run + thread]);
            cluster_numbers[thread] = cluster_11;
            first_token = bitcast<i32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_offsets_offset + head_index * (sizes.segment_1_capacity + 1) + cluster_11]);
            size = bitcast<i32>(segment_1_mean_key_segment_1_mean_value_segment_1_log_mass_segment_1_radius_segment_1_offsets_buffer[sizes.segment_1_offsets_offset + head_index * (sizes.segment_1_capacity + 1) + cluster_11 + 1]) - first_token;
          }
          cluster_ends[thread] = size;
          workgroupBarrier();
          var before: i32 = i32();
          for (var other: i32 = 0; other < thread; other += 1) {
            before += cluster_ends[other];
          }
          workgroupBarrier();
          cluster_ends[thread] = before + size;
          cluster_shifts[thread] = first_token - before;
          let total_2: i32 = workgroupUniformLoad(&cluster_ends[63]);
          for (var tile: i32 = 0; tile < total_2; tile += 64) {
            let count_6: i32 = min(64, total_2 - tile);
            for (var slot: i32 = thread; slot < count_6; slot += 64) {
              let token: i32 = tile + slot;
              var place_2: i32 = i32();
              if (cluster_ends[place_2 + 31] <= token) {
                place_2 += 32;
              }
              if (cluster_ends[place_2 + 15] <= token) {
                place_2 += 16;
              }
              if (cluster_ends[place_2 + 7] <= token) {
                place_2 += 8;
              }
              if (cluster_ends[place_2 + 3] <= token) {
                place_2 += 4;
              }
              if (cluster_ends[place_2 + 1] <= token) {
                place_2 += 2;
              }
              if (cluster_ends[place_2 + 0] <= token) {
                place_2 += 1;
              }
              token_rows[slot] = cluster_shifts[place_2] + token;
              token_clusters[slot] = cluster_numbers[place_2];
            }
            workgroupBarrier();
            var score_0_6: vec4<f32> = vec4<f32>();
            var score_1_6: vec4<f32> = vec4<f32>();
            var score_2_6: vec4<f32> = vec4<f32>();
            var score_3_6: vec4<f32> = vec4<f32>();
            for (var column: i32 = 0; column < 8; column += 8) {
              workgroupBarrier();
              for (var slot: i32 = thread; slot < 32; slot += 64) {
                let row_11: i32 = slot / 2;
                let part_11: i32 = slot % 2;
                let from_15: i32 = query_start + (first_query + min(row_11, rows - 1)) * sizes.query_row;
                let own_column_11: i32 = column + part_11 * 4;
                staged_queries[part_11 * 18 + row_11] = query_segment_0_key_segment_0_value_buffer[(sizes.query_offset + from_15 + own_column_11) >> 2u];
              }
              for (var slot: i32 = thread; slot < 128; slot += 64) {
                let row_12: i32 = slot / 2;
                let part_12: i32 = slot % 2;
                let from_16: i32 = (sorted_key_first + token_rows[(0 + min(row_12, count_6 - 1))]) * 8;
                let own_column_12: i32 = column + part_12 * 4;
                staged_keys[part_12 * 66 + row_12] = segment_1_sorted_key_buffer[(sizes.segment_1_sorted_key_offset + from_16 + own_column_12) >> 2u];
              }
              workgroupBarrier();
              for (var part_13: i32 = 0; part_13 < 2; part_13 += 1) {
                let query_0_6: vec4<f32> = staged_queries[part_13 * 18 + row_group * 4 + 0];
                let query_1_6: vec4<f32> = staged_queries[part_13 * 18 + row_group * 4 + 1];
                let query_2_6: vec4<f32> = staged_queries[part_13 * 18 + row_group * 4 + 2];
                let query_3_6: vec4<f32> = staged_queries[part_13 * 18 + row_group * 4 + 3];
                let key_33: vec4<f32> = staged_keys[part_13 * 66 + lane];
                score_0_6 += vec4<f32>(dot(query_0_6, key_33), dot(query_1_6, key_33), dot(query_2_6, key_33), dot(query_3_6, key_33));
                let key_34: vec4<f32> = staged_keys[part_13 * 66 + lane + 16];
                score_1_6 += vec4<f32>(dot(query_0_6, key_34), dot(query_1_6, key_34), dot(query_2_6, key_34), dot(query_3_6, key_34));
                let key_35: vec4<f32> = staged_keys[part_13 * 66 + lane + 32];
                score_2_6 += vec4<f32>(dot(query_0_6, key_35), dot(query_1_6, key_35), dot(query_2_6, key_35), dot(query_3_6, key_35));
                let key_36: vec4<f32> = staged_keys[part_13 * 66 + lane + 48];
                score_3_6 += vec4<f32>(dot(query_0_6, key_36), dot(query_1_6, key_36), dot(query_2_6, key_36), dot(query_3_6, key_36));
              }
            }
            let is_inside: bool = lane < count_6;
            score_0_6 = vec4<f32>(select((-9.999999680285692e+37), score_0_6.x * 0.3535533845424652, is_inside), select((-9.999999680285692e+37), score_0_6.y * 0.3535533845424652, is_inside), select((-9.999999680285692e+37), score_0_6.z * 0.3535533845424652, is_inside), select((-9.999999680285692e+37), score_0_6.w * 0.3535533845424652, is_inside));
            let is_inside_2: bool = (lane + 16) < count_6;
            score_1_6 = vec4<f32>(select((-9.999999680285692e+37), score_1_6.x * 0.3535533845424652, is_inside_2), select((-9.999999680285692e+37), score_1_6.y * 0.3535533845424652, is_inside_2), select((-9.999999680285692e+37), score_1_6.z * 0.3535533845424652, is_inside_2), select((-9.999999680285692e+37), score_1_6.w * 0.3535533845424652, is_inside_2));
            let is_inside_3: bool = (lane + 32) < count_6;
            score_2_6 = vec4<f32>(select((-9.999999680285692e+37), score_2_6.x * 0.3535533845424652, is_inside_3), select((-9.999999680285692e+37), score_2_6.y * 0.3535533845424652, is_inside_3), select((-9.999999680285692e+37), score_2_6.z * 0.3535533845424652, is_inside_3), select((-9.999999680285692e+37), score_2_6.w * 0.3535533845424652, is_inside_3));
            let is_inside_4: bool = (lane + 48) < count_6;
            score_3_6 = vec4<f32>(select((-9.999999680285692e+37), score_3_6.x * 0.3535533845424652, is_inside_4), select((-9.999999680285692e+37), score_3_6.y * 0.3535533845424652, is_inside_4), select((-9.999999680285692e+37), score_3_6.z * 0.3535533845424652, is_inside_4), select((-9.999999680285692e+37), score_3_6.w * 0.3535533845424652, is_inside_4));
            var tile_maximum_4: vec4<f32> = max(max(max(score_0_6, score_1_6), score_2_6), score_3_6);
            lane_values[thread] = tile_maximum_4;
            workgroupBarrier();
            let start_12: i32 = thread / 16 * 16;
            var group_maximum_4: vec4<f32> = lane_values[start_12];
            for (var other: i32 = 1; other < 16; other += 1) {
              group_maximum_4 = max(group_maximum_4, lane_values[start_12 + other]);
            }
            let raised_8: vec4<f32> = max(maximum, group_maximum_4);
            let factor_4: vec4<f32> = exp(maximum - raised_8);
            maximum = raised_8;
            total = total * factor_4;
            sum_0_0 = sum_0_0 * factor_4.x;
            sum_1_0 = sum_1_0 * factor_4.y;
            sum_2_0 = sum_2_0 * factor_4.z;
            sum_3_0 = sum_3_0 * factor_4.w;
            let weight_16: vec4<f32> = exp(score_0_6 - maximum);
            total += weight_16;
            weights[row_group * 64 + lane] = weight_16;
            let weight_17: vec4<f32> = exp(score_1_6 - maximum);
            total += weight_17;
            weights[row_group * 64 + (lane + 16)] = weight_17;
            let weight_18: vec4<f32> = exp(score_2_6 - maximum);
            total += weight_18;
            weights[row_group * 64 + (lane + 32)] = weight_18;
            let weight_19: vec4<f32> = exp(score_3_6 - maximum);
            total += weight_19;
            weights[row_group * 64 + (lane + 48)] = weight_19;
            workgroupBarrier();
            for (var number: i32 = split; number < count_6; number += 8) {
              let weight_20: vec4<f32> = weights[row_group * 64 + number];
              let from_17: i32 = (sorted_value_first + token_rows[number]) * 8;
              let value_0_4: vec4<f32> = segment_1_sorted_value_buffer[(sizes.segment_1_sorted_value_offset + from_17 + column_lane * 4) >> 2u];
              sum_0_0 += weight_20.x * value_0_4;
              sum_1_0 += weight_20.y * value_0_4;
              sum_2_0 += weight_20.z * value_0_4;
              sum_3_0 += weight_20.w * value_0_4;
            }
            workgroupBarrier();
          }
        }
      }
    }
  }
  workgroupBarrier();
  lane_values[thread] = total;
  workgroupBarrier();
  let start_13: i32 = thread / 16 * 16;
  var row_total: vec4<f32> = lane_values[start_13];
  for (var other: i32 = 1; other < 16; other += 1) {
    row_total = row_total + lane_values[start_13 + other];
  }
  // a query that sees no key has a total of 0: zeros
  let inverse: vec4<f32> = vec4<f32>(select(0.0, 1.0 / row_total.x, row_total.x > 0.0), select(0.0, 1.0 / row_total.y, row_total.y > 0.0), select(0.0, 1.0 / row_total.z, row_total.z > 0.0), select(0.0, 1.0 / row_total.w, row_total.w > 0.0));
  let result_start: i32 = batch * sizes.result_batch + head * sizes.result_head;
  workgroupBarrier();
  lane_values[thread] = sum_0_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 0 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 8; other += 1) {
      sum_0_0 += lane_values[thread + other * 2];
    }
    let place_3: i32 = result_start + (first_query + row_group * 4 + 0) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place_3) >> 2u] = sum_0_0 * inverse.x;
  }
  workgroupBarrier();
  lane_values[thread] = sum_1_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 1 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 8; other += 1) {
      sum_1_0 += lane_values[thread + other * 2];
    }
    let place_4: i32 = result_start + (first_query + row_group * 4 + 1) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place_4) >> 2u] = sum_1_0 * inverse.y;
  }
  workgroupBarrier();
  lane_values[thread] = sum_2_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 2 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 8; other += 1) {
      sum_2_0 += lane_values[thread + other * 2];
    }
    let place_5: i32 = result_start + (first_query + row_group * 4 + 2) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place_5) >> 2u] = sum_2_0 * inverse.z;
  }
  workgroupBarrier();
  lane_values[thread] = sum_3_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 3 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 8; other += 1) {
      sum_3_0 += lane_values[thread + other * 2];
    }
    let place_6: i32 = result_start + (first_query + row_group * 4 + 3) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place_6) >> 2u] = sum_3_0 * inverse.w;
  }
}

// === kernel gemm_bias_residual ===
// gemm_bias_residual
// left [rows, depth] x right [columns, depth]^T, the right side of f32.
// A tile of 32 x 64 a workgroup.

struct Sizes {
  items: i32,
  left_offset: i32,
  right_offset: i32,
  bias_offset: i32,
  residual_offset: i32,
  result_offset: i32,
  rows: i32,
  columns: i32,
  depth: i32,
  left_stride: i32,
  result_stride: i32,
  residual_stride: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> left_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> right_buffer: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias_buffer: array<f32>;
@group(0) @binding(4) var<storage, read> residual_buffer: array<f32>;
@group(0) @binding(5) var<storage, read_write> result_buffer: array<f32>;

var<workgroup> left_tile: array<vec4<f32>, 160>;
var<workgroup> right_tile: array<vec4<f32>, 320>;

fn multiply_add(a: vec4<f32>, b: vec4<f32>, sum: f32) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

@compute @workgroup_size(128)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let row_tiles: i32 = ((sizes.rows + 31) / 32);
  let first_row: i32 = item % row_tiles * 32;
  let first_column: i32 = item / row_tiles * 64;
  let thread_row: i32 = thread / 16;
  let thread_column: i32 = thread % 16;
  var sum_0_0: f32 = f32();
  var sum_0_1: f32 = f32();
  var sum_0_2: f32 = f32();
  var sum_0_3: f32 = f32();
  var sum_1_0: f32 = f32();
  var sum_1_1: f32 = f32();
  var sum_1_2: f32 = f32();
  var sum_1_3: f32 = f32();
  var sum_2_0: f32 = f32();
  var sum_2_1: f32 = f32();
  var sum_2_2: f32 = f32();
  var sum_2_3: f32 = f32();
  var sum_3_0: f32 = f32();
  var sum_3_1: f32 = f32();
  var sum_3_2: f32 = f32();
  var sum_3_3: f32 = f32();
  for (var depth_start: i32 = 0; depth_start < sizes.depth; depth_start += 16) {
    for (var run: i32 = thread; run < 128; run += 128) {
      let tile_row: i32 = run / 4;
      let within: i32 = run % 4 * 4;
      let place: i32 = depth_start + within;
      let at: i32 = tile_row * 5 + within / 4;
      if (place < sizes.depth) {
        let row: i32 = min(first_row + tile_row, sizes.rows - 1);
        let start: i32 = row * sizes.left_stride + place;
        left_tile[at + 0] = left_buffer[(sizes.left_offset + start) >> 2u];
      } else {
        left_tile[at + 0] = vec4<f32>(0.0);
      }
    }
    for (var run: i32 = thread; run < 256; run += 128) {
      let tile_row_2: i32 = run / 4;
      let within_2: i32 = run % 4 * 4;
      let place_2: i32 = depth_start + within_2;
      let at_2: i32 = tile_row_2 * 5 + within_2 / 4;
      if (place_2 < sizes.depth) {
        let row_2: i32 = min(first_column + tile_row_2, sizes.columns - 1);
        let start_2: i32 = row_2 * sizes.depth + place_2;
        right_tile[at_2 + 0] = right_buffer[(sizes.right_offset + start_2) >> 2u];
      } else {
        right_tile[at_2 + 0] = vec4<f32>(0.0);
      }
    }
    workgroupBarrier();
    for (var quad: i32 = 0; quad < 4; quad += 1) {
      let left_at: i32 = thread_row * 5 + quad;
      let right_at: i32 = thread_column * 5 + quad;
      let right_0: vec4<f32> = right_tile[right_at + 0];
      let right_1: vec4<f32> = right_tile[right_at + 80];
      let right_2: vec4<f32> = right_tile[right_at + 160];
      let right_3: vec4<f32> = right_tile[right_at + 240];
      let left_0: vec4<f32> = left_tile[left_at + 0];
      sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
      sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
      sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
      sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
      let left_1: vec4<f32> = left_tile[left_at + 40];
      sum_1_0 = multiply_add(left_1, right_0, sum_1_0);
      sum_1_1 = multiply_add(left_1, right_1, sum_1_1);
      sum_1_2 = multiply_add(left_1, right_2, sum_1_2);
      sum_1_3 = multiply_add(left_1, right_3, sum_1_3);
      let left_2: vec4<f32> = left_tile[left_at + 80];
      sum_2_0 = multiply_add(left_2, right_0, sum_2_0);
      sum_2_1 = multiply_add(left_2, right_1, sum_2_1);
      sum_2_2 = multiply_add(left_2, right_2, sum_2_2);
      sum_2_3 = multiply_add(left_2, right_3, sum_2_3);
      let left_3: vec4<f32> = left_tile[left_at + 120];
      sum_3_0 = multiply_add(left_3, right_0, sum_3_0);
      sum_3_1 = multiply_add(left_3, right_1, sum_3_1);
      sum_3_2 = multiply_add(left_3, right_2, sum_3_2);
      sum_3_3 = multiply_add(left_3, right_3, sum_3_3);
    }
    workgroupBarrier();
  }
  let column: i32 = first_column + thread_column + 0;
  if (column < sizes.columns) {
    let bias_2: f32 = bias_buffer[sizes.bias_offset + column];
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column] = sum_0_0 + bias_2 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 0) * sizes.residual_stride + column];
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column] = sum_1_0 + bias_2 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 8) * sizes.residual_stride + column];
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column] = sum_2_0 + bias_2 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 16) * sizes.residual_stride + column];
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column] = sum_3_0 + bias_2 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 24) * sizes.residual_stride + column];
    }
  }
  let column_2: i32 = first_column + thread_column + 16;
  if (column_2 < sizes.columns) {
    let bias_3: f32 = bias_buffer[sizes.bias_offset + column_2];
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_2] = sum_0_1 + bias_3 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 0) * sizes.residual_stride + column_2];
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_2] = sum_1_1 + bias_3 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 8) * sizes.residual_stride + column_2];
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_2] = sum_2_1 + bias_3 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 16) * sizes.residual_stride + column_2];
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_2] = sum_3_1 + bias_3 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 24) * sizes.residual_stride + column_2];
    }
  }
  let column_3: i32 = first_column + thread_column + 32;
  if (column_3 < sizes.columns) {
    let bias_4: f32 = bias_buffer[sizes.bias_offset + column_3];
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_3] = sum_0_2 + bias_4 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 0) * sizes.residual_stride + column_3];
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_3] = sum_1_2 + bias_4 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 8) * sizes.residual_stride + column_3];
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_3] = sum_2_2 + bias_4 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 16) * sizes.residual_stride + column_3];
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_3] = sum_3_2 + bias_4 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 24) * sizes.residual_stride + column_3];
    }
  }
  let column_4: i32 = first_column + thread_column + 48;
  if (column_4 < sizes.columns) {
    let bias_5: f32 = bias_buffer[sizes.bias_offset + column_4];
    if ((first_row + thread_row + 0) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_4] = sum_0_3 + bias_5 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 0) * sizes.residual_stride + column_4];
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_4] = sum_1_3 + bias_5 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 8) * sizes.residual_stride + column_4];
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_4] = sum_2_3 + bias_5 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 16) * sizes.residual_stride + column_4];
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_4] = sum_3_3 + bias_5 + residual_buffer[sizes.residual_offset + (first_row + thread_row + 24) * sizes.residual_stride + column_4];
    }
  }
}

// === kernel layer_norm_2 ===
// layer_norm_2
// layer_norm of one row a workgroup.

struct Sizes {
  items: i32,
  x0_offset: i32,
  weight_offset: i32,
  bias_offset: i32,
  result_offset: i32,
  extent_0: i32,
  extent_1: i32,
  extent_2: i32,
  x0_stride_0: i32,
  x0_stride_1: i32,
  x0_stride_2: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x0_buffer: array<f32>;
@group(0) @binding(2) var<storage, read> weight_buffer: array<f32>;
@group(0) @binding(3) var<storage, read> bias_buffer: array<f32>;
@group(0) @binding(4) var<storage, read_write> result_buffer: array<f32>;

var<workgroup> exchanged: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let index_1: i32 = item % sizes.extent_1;
  let rest: i32 = item / sizes.extent_1;
  let index_0: i32 = rest;
  let row: i32 = item * sizes.extent_2;
  var partial_2: f32 = f32();
  for (var column: i32 = thread; column < sizes.extent_2; column += 64) {
    let value: f32 = x0_buffer[sizes.x0_offset + index_0 * sizes.x0_stride_0 + index_1 * sizes.x0_stride_1 + column];
    result_buffer[sizes.result_offset + row + column] = value;
    partial_2 += value;
  }
  var sum: f32 = partial_2;
  exchanged[thread] = sum;
  workgroupBarrier();
  sum = sum + exchanged[(thread ^ 1)];
  workgroupBarrier();
  exchanged[thread] = sum;
  workgroupBarrier();
  sum = sum + exchanged[(thread ^ 2)];
  workgroupBarrier();
  exchanged[thread] = sum;
  workgroupBarrier();
  sum = sum + exchanged[(thread ^ 4)];
  workgroupBarrier();
  exchanged[thread] = sum;
  workgroupBarrier();
  sum = sum + exchanged[(thread ^ 8)];
  workgroupBarrier();
  exchanged[thread] = sum;
  workgroupBarrier();
  sum = sum + exchanged[(thread ^ 16)];
  workgroupBarrier();
  exchanged[thread] = sum;
  workgroupBarrier();
  sum = sum + exchanged[(thread ^ 32)];
  workgroupBarrier();
  let mean: f32 = sum / f32(sizes.extent_2);
  partial_2 = 0.0;
  for (var column: i32 = thread; column < sizes.extent_2; column += 64) {
    let distance: f32 = result_buffer[sizes.result_offset + row + column] - mean;
    partial_2 += distance * distance;
  }
  var squares: f32 = partial_2;
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 1)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 2)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 4)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 8)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 16)];
  workgroupBarrier();
  exchanged[thread] = squares;
  workgroupBarrier();
  squares = squares + exchanged[(thread ^ 32)];
  workgroupBarrier();
  let scale: f32 = 1.0 / sqrt(squares / f32(sizes.extent_2) + 9.999999960041972e-13);
  for (var column: i32 = thread; column < sizes.extent_2; column += 64) {
    result_buffer[sizes.result_offset + row + column] = (result_buffer[sizes.result_offset + row + column] - mean) * scale * weight_buffer[sizes.weight_offset + column] + bias_buffer[sizes.bias_offset + column];
  }
}

// === kernel gemm_bias_gelu ===
// gemm_bias_gelu
// left [rows, depth] x right [columns, depth]^T, the right side of f32.
// A tile of 32 x 64 a workgroup.

struct Sizes {
  items: i32,
  left_offset: i32,
  right_offset: i32,
  bias_offset: i32,
  result_offset: i32,
  rows: i32,
  columns: i32,
  depth: i32,
  left_stride: i32,
  result_stride: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> left_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> right_buffer: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias_buffer: array<f32>;
@group(0) @binding(4) var<storage, read_write> result_buffer: array<f32>;

var<workgroup> left_tile: array<vec4<f32>, 160>;
var<workgroup> right_tile: array<vec4<f32>, 320>;

fn multiply_add(a: vec4<f32>, b: vec4<f32>, sum: f32) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

fn erf_f32(x: f32) -> f32 {
  // a rational in x; 1 from there on where it rounds to 1 in f32
  let bounded: f32 = min(abs(x), 4.0);
  let z: f32 = bounded * bounded;
  let value: f32 = min(bounded * fma(fma(fma(fma(fma(0.0000019866442926286254, z, 0.00028451584512367845), z, 0.0038822146598249674), z, 0.053098198026418686), z, 0.19352230429649353), z, 1.1283791065216064) / fma(fma(fma(fma(fma(0.00003741609907592647, z, 0.0011852505849674344), z, 0.015205015428364277), z, 0.11534010618925095), z, 0.5048372149467468), z, 1.0), 1.0);
  return select(value, -value, x < 0.0);
}

fn gelu_f32(x: f32) -> f32 {
  return 0.5 * x * (1.0 + erf_f32(x * 0.7071067690849304));
}

@compute @workgroup_size(128)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let row_tiles: i32 = ((sizes.rows + 31) / 32);
  let first_row: i32 = item % row_tiles * 32;
  let first_column: i32 = item / row_tiles * 64;
  let thread_row: i32 = thread / 16;
  let thread_column: i32 = thread % 16;
  var sum_0_0: f32 = f32();
  var sum_0_1: f32 = f32();
  var sum_0_2: f32 = f32();
  var sum_0_3: f32 = f32();
  var sum_1_0: f32 = f32();
  var sum_1_1: f32 = f32();
  var sum_1_2: f32 = f32();
  var sum_1_3: f32 = f32();
  var sum_2_0: f32 = f32();
  var sum_2_1: f32 = f32();
  var sum_2_2: f32 = f32();
  var sum_2_3: f32 = f32();
  var sum_3_0: f32 = f32();
  var sum_3_1: f32 = f32();
  var sum_3_2: f32 = f32();
  var sum_3_3: f32 = f32();
  for (var depth_start: i32 = 0; depth_start < sizes.depth; depth_start += 16) {
    for (var run: i32 = thread; run < 128; run += 128) {
      let tile_row: i32 = run / 4;
      let within: i32 = run % 4 * 4;
      let place: i32 = depth_start + within;
      let at: i32 = tile_row * 5 + within / 4;
      if (place < sizes.depth) {
        let row: i32 = min(first_row + tile_row, sizes.rows - 1);
        let start: i32 = row * sizes.left_stride + place;
        left_tile[at + 0] = left_buffer[(sizes.left_offset + start) >> 2u];
      } else {
        left_tile[at + 0] = vec4<f32>(0.0);
      }
    }
    for (var run: i32 = thread; run < 256; run += 128) {
      let tile_row_2: i32 = run / 4;
      let within_2: i32 = run % 4 * 4;
      let place_2: i32 = depth_start + within_2;
      let at_2: i32 = tile_row_2 * 5 + within_2 / 4;
      if (place_2 < sizes.depth) {
        let row_2: i32 = min(first_column + tile_row_2, sizes.columns - 1);
        let start_2: i32 = row_2 * sizes.depth + place_2;
        right_tile[at_2 + 0] = right_buffer[(sizes.right_offset + start_2) >> 2u];
      } else {
        right_tile[at_2 + 0] = vec4<f32>(0.0);
      }
    }
    workgroupBarrier();
    for (var quad: i32 = 0; quad < 4; quad += 1) {
      let left_at: i32 = thread_row * 5 + quad;
      let right_at: i32 = thread_column * 5 + quad;
      let right_0: vec4<f32> = right_tile[right_at + 0];
      let right_1: vec4<f32> = right_tile[right_at + 80];
      let right_2: vec4<f32> = right_tile[right_at + 160];
      let right_3: vec4<f32> = right_tile[right_at + 240];
      let left_0: vec4<f32> = left_tile[left_at + 0];
      sum_0_0 = multiply_add(left_0, right_0, sum_0_0);
      sum_0_1 = multiply_add(left_0, right_1, sum_0_1);
      sum_0_2 = multiply_add(left_0, right_2, sum_0_2);
      sum_0_3 = multiply_add(left_0, right_3, sum_0_3);
      let left_1: vec4<f32> = left_tile[left_at + 40];
      sum_1_0 = multiply_add(left_1, right_0, sum_1_0);
      sum_1_1 = multiply_add(left_1, right_1, sum_1_1);
      sum_1_2 = multiply_add(left_1, right_2, sum_1_2);
      sum_1_3 = multiply_add(left_1, right_3, sum_1_3);
      let left_2: vec4<f32> = left_tile[left_at + 80];
      sum_2_0 = multiply_add(left_2, right_0, sum_2_0);
      sum_2_1 = multiply_add(left_2, right_1, sum_2_1);
      sum_2_2 = multiply_add(left_2, right_2, sum_2_2);
      sum_2_3 = multiply_add(left_2, right_3, sum_2_3);
      let left_3: vec4<f32> = left_tile[left_at + 120];
      sum_3_0 = multiply_add(left_3, right_0, sum_3_0);
      sum_3_1 = multiply_add(left_3, right_1, sum_3_1);
      sum_3_2 = multiply_add(left_3, right_2, sum_3_2);
      sum_3_3 = multiply_add(left_3, right_3, sum_3_3);
    }
    workgroupBarrier();
  }
  let column: i32 = first_column + thread_column + 0;
  if (column < sizes.columns) {
    let bias_2: f32 = bias_buffer[sizes.bias_offset + column];
    if ((first_row + thread_row + 0) < sizes.rows) {
      let value: f32 = sum_0_0 + bias_2;
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column] = gelu_f32(value);
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      let value_2: f32 = sum_1_0 + bias_2;
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column] = gelu_f32(value_2);
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      let value_3: f32 = sum_2_0 + bias_2;
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column] = gelu_f32(value_3);
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      let value_4: f32 = sum_3_0 + bias_2;
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column] = gelu_f32(value_4);
    }
  }
  let column_2: i32 = first_column + thread_column + 16;
  if (column_2 < sizes.columns) {
    let bias_3: f32 = bias_buffer[sizes.bias_offset + column_2];
    if ((first_row + thread_row + 0) < sizes.rows) {
      let value_5: f32 = sum_0_1 + bias_3;
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_2] = gelu_f32(value_5);
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      let value_6: f32 = sum_1_1 + bias_3;
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_2] = gelu_f32(value_6);
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      let value_7: f32 = sum_2_1 + bias_3;
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_2] = gelu_f32(value_7);
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      let value_8: f32 = sum_3_1 + bias_3;
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_2] = gelu_f32(value_8);
    }
  }
  let column_3: i32 = first_column + thread_column + 32;
  if (column_3 < sizes.columns) {
    let bias_4: f32 = bias_buffer[sizes.bias_offset + column_3];
    if ((first_row + thread_row + 0) < sizes.rows) {
      let value_9: f32 = sum_0_2 + bias_4;
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_3] = gelu_f32(value_9);
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      let value_10: f32 = sum_1_2 + bias_4;
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_3] = gelu_f32(value_10);
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      let value_11: f32 = sum_2_2 + bias_4;
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_3] = gelu_f32(value_11);
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      let value_12: f32 = sum_3_2 + bias_4;
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_3] = gelu_f32(value_12);
    }
  }
  let column_4: i32 = first_column + thread_column + 48;
  if (column_4 < sizes.columns) {
    let bias_5: f32 = bias_buffer[sizes.bias_offset + column_4];
    if ((first_row + thread_row + 0) < sizes.rows) {
      let value_13: f32 = sum_0_3 + bias_5;
      result_buffer[sizes.result_offset + (first_row + thread_row + 0) * sizes.result_stride + column_4] = gelu_f32(value_13);
    }
    if ((first_row + thread_row + 8) < sizes.rows) {
      let value_14: f32 = sum_1_3 + bias_5;
      result_buffer[sizes.result_offset + (first_row + thread_row + 8) * sizes.result_stride + column_4] = gelu_f32(value_14);
    }
    if ((first_row + thread_row + 16) < sizes.rows) {
      let value_15: f32 = sum_2_3 + bias_5;
      result_buffer[sizes.result_offset + (first_row + thread_row + 16) * sizes.result_stride + column_4] = gelu_f32(value_15);
    }
    if ((first_row + thread_row + 24) < sizes.rows) {
      let value_16: f32 = sum_3_3 + bias_5;
      result_buffer[sizes.result_offset + (first_row + thread_row + 24) * sizes.result_stride + column_4] = gelu_f32(value_16);
    }
  }
}

// === kernel map_cast_2 ===
// map_cast_2
// One element a thread.

struct Sizes {
  items: i32,
  x0_offset: i32,
  result_offset: i32,
  extent_0: i32,
  extent_1: i32,
  x0_stride_0: i32,
  x0_stride_1: i32,
  result_stride_0: i32,
  result_stride_1: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x0_buffer: array<i32>;
@group(0) @binding(2) var<storage, read_write> result_buffer: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let element: i32 = item * 64 + thread;
  let index_1: i32 = element % sizes.extent_1;
  let rest: i32 = element / sizes.extent_1;
  let index_0: i32 = rest;
  if (index_0 < sizes.extent_0) {
    result_buffer[sizes.result_offset + index_0 * sizes.result_stride_0 + index_1] = f32(x0_buffer[sizes.x0_offset + index_0 * sizes.x0_stride_0 + index_1]);
  }
}

// === kernel sum_multiply ===
// sum_multiply
// One sum over the last axis of the nest a thread.

struct Sizes {
  items: i32,
  x0_offset: i32,
  x1_offset: i32,
  result_offset: i32,
  extent_0: i32,
  extent_1: i32,
  extent_2: i32,
  extent_r: i32,
  x0_stride_0: i32,
  x0_stride_1: i32,
  x0_stride_2: i32,
  x0_stride_r: i32,
  x1_stride_0: i32,
  x1_stride_1: i32,
  x1_stride_2: i32,
  x1_stride_r: i32,
  result_stride_0: i32,
  result_stride_1: i32,
  result_stride_2: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x0_buffer: array<f32>;
@group(0) @binding(2) var<storage, read> x1_buffer: array<f32>;
@group(0) @binding(3) var<storage, read_write> result_buffer: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let element: i32 = item * 64 + thread;
  let index_2: i32 = element % sizes.extent_2;
  let rest: i32 = element / sizes.extent_2;
  let index_1: i32 = rest % sizes.extent_1;
  let rest_2: i32 = rest / sizes.extent_1;
  let index_0: i32 = rest_2;
  if (index_0 < sizes.extent_0) {
    var reduced: f32 = 0.0;
    for (var r: i32 = 0; r < sizes.extent_r; r += 1) {
      reduced = reduced + (x0_buffer[sizes.x0_offset + index_0 * sizes.x0_stride_0 + index_1 * sizes.x0_stride_1 + index_2 + r * sizes.x0_stride_r] * x1_buffer[sizes.x1_offset + index_0 * sizes.x1_stride_0 + index_1 * sizes.x1_stride_1 + r * sizes.x1_stride_r]);
    }
    result_buffer[sizes.result_offset + index_0 * sizes.result_stride_0 + index_1 * sizes.result_stride_1 + index_2] = reduced;
  }
}

// === kernel sum_copy ===
// sum_copy
// One sum over the last axis of the nest a thread.

struct Sizes {
  items: i32,
  x0_offset: i32,
  result_offset: i32,
  extent_0: i32,
  extent_1: i32,
  extent_2: i32,
  extent_r: i32,
  x0_stride_0: i32,
  x0_stride_1: i32,
  x0_stride_2: i32,
  x0_stride_r: i32,
  result_stride_0: i32,
  result_stride_1: i32,
  result_stride_2: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x0_buffer: array<f32>;
@group(0) @binding(2) var<storage, read_write> result_buffer: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let element: i32 = item * 64 + thread;
  let index_2: i32 = element % sizes.extent_2;
  let rest: i32 = element / sizes.extent_2;
  let index_1: i32 = rest % sizes.extent_1;
  let rest_2: i32 = rest / sizes.extent_1;
  let index_0: i32 = rest_2;
  if (index_0 < sizes.extent_0) {
    var reduced: f32 = 0.0;
    for (var r: i32 = 0; r < sizes.extent_r; r += 1) {
      reduced = reduced + x0_buffer[sizes.x0_offset + index_0 * sizes.x0_stride_0 + index_1 * sizes.x0_stride_1 + r * sizes.x0_stride_r];
    }
    result_buffer[sizes.result_offset + index_0 * sizes.result_stride_0 + index_1 * sizes.result_stride_1 + index_2] = reduced;
  }
}

// === kernel map_maximum_divide ===
// map_maximum_divide
// One element a thread.

struct Sizes {
  items: i32,
  x0_offset: i32,
  x1_offset: i32,
  result_offset: i32,
  extent_0: i32,
  extent_1: i32,
  extent_2: i32,
  x0_stride_0: i32,
  x0_stride_1: i32,
  x0_stride_2: i32,
  x1_stride_0: i32,
  x1_stride_1: i32,
  x1_stride_2: i32,
  result_stride_0: i32,
  result_stride_1: i32,
  result_stride_2: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x0_buffer: array<f32>;
@group(0) @binding(2) var<storage, read> x1_buffer: array<f32>;
@group(0) @binding(3) var<storage, read_write> result_buffer: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let element: i32 = item * 64 + thread;
  let index_2: i32 = element % sizes.extent_2;
  let rest: i32 = element / sizes.extent_2;
  let index_1: i32 = rest % sizes.extent_1;
  let rest_2: i32 = rest / sizes.extent_1;
  let index_0: i32 = rest_2;
  if (index_0 < sizes.extent_0) {
    result_buffer[sizes.result_offset + index_0 * sizes.result_stride_0 + index_1 * sizes.result_stride_1 + index_2] = (x0_buffer[sizes.x0_offset + index_0 * sizes.x0_stride_0 + index_1 * sizes.x0_stride_1 + index_2] / max(x1_buffer[sizes.x1_offset + index_0 * sizes.x1_stride_0 + index_1 * sizes.x1_stride_1], 9.999999717180685e-10));
  }
}

// === kernel sum_multiply_2 ===
// sum_multiply_2
// One sum over the last axis of the nest a thread.

struct Sizes {
  items: i32,
  x0_offset: i32,
  result_offset: i32,
  extent_0: i32,
  extent_1: i32,
  extent_r: i32,
  x0_stride_0: i32,
  x0_stride_1: i32,
  x0_stride_r: i32,
  result_stride_0: i32,
  result_stride_1: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x0_buffer: array<f32>;
@group(0) @binding(2) var<storage, read_write> result_buffer: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let element: i32 = item * 64 + thread;
  let index_1: i32 = element % sizes.extent_1;
  let rest: i32 = element / sizes.extent_1;
  let index_0: i32 = rest;
  if (index_0 < sizes.extent_0) {
    var reduced: f32 = 0.0;
    for (var r: i32 = 0; r < sizes.extent_r; r += 1) {
      let shared_value: f32 = x0_buffer[sizes.x0_offset + index_0 * sizes.x0_stride_0 + r * sizes.x0_stride_r];
      reduced = reduced + (shared_value * shared_value);
    }
    result_buffer[sizes.result_offset + index_0 * sizes.result_stride_0 + index_1] = reduced;
  }
}

// === kernel map_sqrt_maximum_divide ===
// map_sqrt_maximum_divide
// One element a thread.

struct Sizes {
  items: i32,
  x0_offset: i32,
  x1_offset: i32,
  result_offset: i32,
  extent_0: i32,
  extent_1: i32,
  x0_stride_0: i32,
  x0_stride_1: i32,
  x1_stride_0: i32,
  x1_stride_1: i32,
  result_stride_0: i32,
  result_stride_1: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x0_buffer: array<f32>;
@group(0) @binding(2) var<storage, read> x1_buffer: array<f32>;
@group(0) @binding(3) var<storage, read_write> result_buffer: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(local_invocation_index) thread_index: u32,
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) workgroup_count: vec3<u32>,
) {
  let thread: i32 = i32(thread_index);
  let item: i32 = i32(workgroup_id.x + workgroup_id.y * workgroup_count.x);
  if (item >= sizes.items) {
    return;
  }
  let element: i32 = item * 64 + thread;
  let index_1: i32 = element % sizes.extent_1;
  let rest: i32 = element / sizes.extent_1;
  let index_0: i32 = rest;
  if (index_0 < sizes.extent_0) {
    result_buffer[sizes.result_offset + index_0 * sizes.result_stride_0 + index_1] = (x0_buffer[sizes.x0_offset + index_0 * sizes.x0_stride_0 + index_1] / max(sqrt(x1_buffer[sizes.x1_offset + index_0 * sizes.x1_stride_0]), 9.999999960041972e-13));
  }
}
