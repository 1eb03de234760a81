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

// === kernel attention_keys ===
// attention_keys
// Attention of 16 queries of one head a workgroup, 64 keys at a time.

struct Sizes {
  items: i32,
  query_offset: i32,
  key_offset: i32,
  value_offset: i32,
  mask_offset: i32,
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
  keys: i32,
  key_batch: i32,
  key_head: i32,
  key_row: i32,
  value_batch: i32,
  value_head: i32,
  value_row: i32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> query_key_value_buffer: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> mask_buffer: array<i32>;
@group(0) @binding(3) var<storage, read_write> result_buffer: array<vec4<f32>>;

var<workgroup> weights: array<vec4<f32>, 256>;
var<workgroup> staged_queries: array<vec4<f32>, 72>;
var<workgroup> staged_keys: array<vec4<f32>, 264>;
var<workgroup> lane_values: array<vec4<f32>, 64>;

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
  // Segment of keys
  let first_stand: i32 = first_query + sizes.keys - sizes.queries;
  let own_stand: i32 = first_stand + row_group * 4;
  let key_start: i32 = batch * sizes.key_batch + key_head * sizes.key_head;
  let value_start: i32 = batch * sizes.value_batch + key_head * sizes.value_head;
  for (var tile: i32 = 0; tile < sizes.keys; tile += 64) {
    let count: i32 = min(64, sizes.keys - tile);
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
        staged_queries[part * 18 + row] = query_key_value_buffer[(sizes.query_offset + from_2 + own_column) >> 2u];
      }
      for (var slot: i32 = thread; slot < 128; slot += 64) {
        let row_2: i32 = slot / 2;
        let part_2: i32 = slot % 2;
        let from_3: i32 = key_start + (tile + min(row_2, count - 1)) * sizes.key_row;
        let own_column_2: i32 = column + part_2 * 4;
        staged_keys[part_2 * 66 + row_2] = query_key_value_buffer[(sizes.key_offset + from_3 + own_column_2) >> 2u];
      }
      workgroupBarrier();
      for (var part_3: i32 = 0; part_3 < 2; part_3 += 1) {
        let query_0: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 0];
        let query_1: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 1];
        let query_2: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 2];
        let query_3: vec4<f32> = staged_queries[part_3 * 18 + row_group * 4 + 3];
        let key_2: vec4<f32> = staged_keys[part_3 * 66 + lane];
        score_0 += vec4<f32>(dot(query_0, key_2), dot(query_1, key_2), dot(query_2, key_2), dot(query_3, key_2));
        let key_3: vec4<f32> = staged_keys[part_3 * 66 + lane + 16];
        score_1 += vec4<f32>(dot(query_0, key_3), dot(query_1, key_3), dot(query_2, key_3), dot(query_3, key_3));
        let key_4: vec4<f32> = staged_keys[part_3 * 66 + lane + 32];
        score_2 += vec4<f32>(dot(query_0, key_4), dot(query_1, key_4), dot(query_2, key_4), dot(query_3, key_4));
        let key_5: vec4<f32> = staged_keys[part_3 * 66 + lane + 48];
        score_3 += vec4<f32>(dot(query_0, key_5), dot(query_1, key_5), dot(query_2, key_5), dot(query_3, key_5));
      }
    }
    let key_6: i32 = tile + min(lane, count - 1);
    score_0 = score_0 * 0.3535533845424652;
    score_0 = select(vec4<f32>((-9.999999680285692e+37)), score_0, (lane < count) & (mask_buffer[sizes.mask_offset + batch * sizes.keys + key_6] != 0));
    let key_7: i32 = tile + min((lane + 16), count - 1);
    score_1 = score_1 * 0.3535533845424652;
    score_1 = select(vec4<f32>((-9.999999680285692e+37)), score_1, ((lane + 16) < count) & (mask_buffer[sizes.mask_offset + batch * sizes.keys + key_7] != 0));
    let key_8: i32 = tile + min((lane + 32), count - 1);
    score_2 = score_2 * 0.3535533845424652;
    score_2 = select(vec4<f32>((-9.999999680285692e+37)), score_2, ((lane + 32) < count) & (mask_buffer[sizes.mask_offset + batch * sizes.keys + key_8] != 0));
    let key_9: i32 = tile + min((lane + 48), count - 1);
    score_3 = score_3 * 0.3535533845424652;
    score_3 = select(vec4<f32>((-9.999999680285692e+37)), score_3, ((lane + 48) < count) & (mask_buffer[sizes.mask_offset + batch * sizes.keys + key_9] != 0));
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
      let from_4: i32 = value_start + (tile + number) * sizes.value_row;
      let value_0: vec4<f32> = query_key_value_buffer[(sizes.value_offset + from_4 + column_lane * 4) >> 2u];
      sum_0_0 += weight_5.x * value_0;
      sum_1_0 += weight_5.y * value_0;
      sum_2_0 += weight_5.z * value_0;
      sum_3_0 += weight_5.w * value_0;
    }
  }
  workgroupBarrier();
  lane_values[thread] = total;
  workgroupBarrier();
  let start_2: i32 = thread / 16 * 16;
  var row_total: vec4<f32> = lane_values[start_2];
  for (var other: i32 = 1; other < 16; other += 1) {
    row_total = row_total + lane_values[start_2 + other];
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
    let place: i32 = result_start + (first_query + row_group * 4 + 0) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place) >> 2u] = sum_0_0 * inverse.x;
  }
  workgroupBarrier();
  lane_values[thread] = sum_1_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 1 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 8; other += 1) {
      sum_1_0 += lane_values[thread + other * 2];
    }
    let place_2: i32 = result_start + (first_query + row_group * 4 + 1) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place_2) >> 2u] = sum_1_0 * inverse.y;
  }
  workgroupBarrier();
  lane_values[thread] = sum_2_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 2 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 8; other += 1) {
      sum_2_0 += lane_values[thread + other * 2];
    }
    let place_3: i32 = result_start + (first_query + row_group * 4 + 2) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place_3) >> 2u] = sum_2_0 * inverse.z;
  }
  workgroupBarrier();
  lane_values[thread] = sum_3_0;
  workgroupBarrier();
  if (split == 0 && row_group * 4 + 3 < rows && column_lane * 4 < 8) {
    for (var other: i32 = 1; other < 8; other += 1) {
      sum_3_0 += lane_values[thread + other * 2];
    }
    let place_4: i32 = result_start + (first_query + row_group * 4 + 3) * sizes.result_row + column_lane * 4;
    result_buffer[(sizes.result_offset + place_4) >> 2u] = sum_3_0 * inverse.w;
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
