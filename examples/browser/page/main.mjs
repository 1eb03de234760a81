import { formatBytes, formatShare, formatTime, showFigures, showPlot, sideNames, sides } from './figures.mjs';
import { keysKept, ModelPair } from './models.mjs';
import { tasks } from './tasks.mjs';

const byId = (id) => document.getElementById(id);
const [text, question, run, stop, measure, progress, status, figures, plot, backend] = [
  'text',
  'question',
  'run',
  'stop',
  'measure',
  'progress',
  'status',
  'figures',
  'plot',
  'backend',
].map(byId);

const pair = new ModelPair();
let current = 'reviews';
/** Of what runs now. */
let controller;

/** What serve.ts wrote beside the page. */
async function readPage() {
  const response = await fetch('page.json');
  if (!response.ok) throw new Error(`page.json: the server answers ${response.status}. Has serve.ts made this folder?`);
  return response.json();
}
const { available, samples } = await readPage().catch((error) => {
  say(error.message);
  throw error;
});

const backends = { auto: 'the faster one', wasm: 'WebAssembly', webgpu: 'WebGPU' };
for (const [value, label] of Object.entries(backends)) backend.append(new Option(label, value));
const wanted = new URLSearchParams(location.search).get('backend') ?? '';
backend.value = Object.hasOwn(backends, wanted) ? wanted : 'auto';
// What was said of the one before does not hold any more.
backend.addEventListener('change', () => {
  controller?.abort();
  byId('machine').textContent = '';
});

for (const [label, content] of Object.entries(samples)) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = label;
  button.addEventListener('click', () => {
    text.value = content;
    count();
  });
  byId('samples').append(button);
}
text.value = Object.values(samples)[0];

// Tabs after the pattern of the ARIA Authoring Practices Guide: arrows, Home and End move, and what is reached is selected.
const tabs = available.map((name) => {
  const tab = document.createElement('button');
  tab.role = 'tab';
  tab.id = `tab-${name}`;
  tab.textContent = tasks[name].title;
  tab.setAttribute('aria-controls', 'panel');
  tab.addEventListener('click', () => select(name));
  tab.addEventListener('keydown', (event) => {
    const own = available.indexOf(name);
    const next = { ArrowRight: own + 1, ArrowLeft: own - 1, Home: 0, End: -1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const tab = tabs.at(next % tabs.length);
    select(available[tabs.indexOf(tab)]);
    tab.focus();
  });
  return tab;
});
byId('tabs').append(...tabs);

function select(name) {
  controller?.abort();
  current = name;
  for (const [index, tab] of tabs.entries()) {
    const selected = available[index] === name;
    tab.setAttribute('aria-selected', String(selected));
    tab.tabIndex = selected ? 0 : -1;
  }
  byId('panel').setAttribute('aria-labelledby', `tab-${name}`);
  const asks = tasks[name].question;
  byId('question-row').hidden = asks === null;
  byId('question-label').textContent = asks ?? '';
  question.value = name === 'chat' ? 'What is this text about?' : 'a film that is too long';
  for (const side of sides) byId(side).querySelector('.answer').replaceChildren();
  figures.replaceChildren();
  showPlot(plot, '', []);
  say('');
}
function say(sentence) {
  status.textContent = sentence;
}
function count() {
  byId('counted').textContent = `${text.value.split(/\s+/).filter(Boolean).length} words`;
}
text.addEventListener('input', count);
count();

/** Runs `work` with both models, one thing at a time; what it throws is said. `button` is what it was started with. */
async function withModels(button, work) {
  controller?.abort();
  if (text.value.trim() === '' && current !== 'chat') {
    say('Paste a text first.');
    text.focus();
    return;
  }
  const own = (controller = new AbortController());
  const { signal } = own;
  stop.disabled = false;
  // A button that is disabled loses the focus, and the keyboard its place.
  if (document.activeElement === button) stop.focus();
  for (const each of [run, measure]) each.disabled = true;
  progress.value = 0;
  progress.hidden = false;
  for (const side of sides) byId(side).ariaBusy = 'true';
  try {
    const models = await pair.load(current, backend.value, showProgress, signal);
    progress.hidden = true;
    byId('machine').textContent = describe(models.dense.info());
    await work(models, signal);
    say('Done.');
  } catch (error) {
    say(signal.aborted ? 'Stopped.' : `${error.message}${error.hint ? ` ${error.hint}` : ''}`);
  } finally {
    if (controller === own) {
      for (const side of sides) byId(side).ariaBusy = 'false';
      for (const each of [run, measure]) each.disabled = false;
      if (document.activeElement === stop) button.focus();
      stop.disabled = true;
      progress.hidden = true;
    }
  }
}
/** What computes, and why, in the words of the package. */
function describe({ backend: name, device, why, threads }) {
  const lanes = name === 'wasm' ? `; ${threads.used} ${threads.used === 1 ? 'thread' : 'threads'}: ${threads.why}` : '';
  return `${backends[name]}${device ? ` on ${device}` : ''}: ${why}${lanes}.`;
}
function showProgress(share, what) {
  progress.value = share;
  say(`Loading ${what} ...`);
}
stop.addEventListener('click', () => controller?.abort(new DOMException('The page was told to stop.', 'AbortError')));

byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  void withModels(run, compareBoth);
});
async function compareBoth(models, signal) {
  const task = tasks[current];
  const found = {};
  const update = () => showFigures(figures, rowsOf(task, models, found));
  for (const side of sides) {
    say(`Running ${sideNames[side]} ...`);
    const answer = byId(side).querySelector('.answer');
    answer.replaceChildren();
    const report = (partial) => {
      found[side] = { ...found[side], ...partial };
      answer.replaceChildren(partial.answer);
      update();
    };
    const options = { text: text.value, question: question.value, signal, report };
    // Buffers of this length are made, and what is compiled late is compiled, before time is taken.
    if (task !== tasks.chat) await task.run(models[side], { ...options, report: () => {} });
    found[side] = await task.run(models[side], options);
    answer.replaceChildren(found[side].answer);
    update();
  }
}
function rowsOf(task, models, found) {
  const of = (value) => Object.fromEntries(sides.map((side) => [side, found[side] && value(side, found[side])]));
  const rows = [
    { name: 'Time', format: formatTime, ...of((_, { milliseconds }) => milliseconds) },
    { name: 'Keys kept', format: formatShare, ...of((side, { longest, tokens }) => keysKept(models[side], longest ?? tokens)) },
    { name: task.memoryName, format: formatBytes, ...of((side, result) => task.memory(models[side], result)) },
  ];
  if (!found.principal?.longest) return rows;
  const { share, words } = task.compare(found.dense, found.principal);
  return [...rows, { name: 'Agreement', text: `${formatShare(share)}: ${words}` }];
}

measure.addEventListener('click', () => void withModels(measure, timeOverLength));
async function timeOverLength(models, signal) {
  const task = tasks[current];
  const points = [];
  const caption = `Time over the number of tokens, ${backends[models.dense.info().backend]}`;
  for (const tokens of task.lengths) {
    const point = { tokens };
    points.push(point);
    for (const side of sides) {
      say(`Timing ${tokens} tokens, ${sideNames[side]} ...`);
      point[side] = await task.time(models[side], text.value, tokens, signal);
      showPlot(plot, caption, points);
    }
  }
}

select(available[0]);
document.documentElement.dataset.ready = 'true';
