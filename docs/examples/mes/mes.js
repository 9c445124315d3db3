// One lot from an MES: recipe, order, results as they come, a picture and its review, the response, log and proof.
//
// usage: node mes.js HOST:PORT [stop [LOT]]  with LINEWARD_TOKEN, LINEWARD_CA and LINEWARD_PROTO (the folder `proto` of
// Lineward; absent: the one of this repository) in the environment
'use strict';

const { createHash, randomUUID } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const USAGE = 'usage: node mes.js HOST:PORT [stop [LOT]]  with LINEWARD_TOKEN and LINEWARD_CA in the environment';
const RECIPE = '[model]\nthreshold = 0.4\n';
const PLANNED = 20;
const AWAY_MS = 30_000; // how long a call is repeated while the station is away
const LONG_MS = 60_000; // loading a model, waiting for the parts in flight
const LOOK_MS = 5000; // how often it is asked whether the lot is why no part comes
const NAMES = ['station', 'recipe', 'lot', 'result', 'audit'];

function connect(address) {
  const folder = process.env.LINEWARD_PROTO || path.join(__dirname, '../../../proto');
  const files = NAMES.map((name) => `lineward/inspection/v1/${name}.proto`);
  const definition = protoLoader.loadSync(files, {
    includeDirs: [folder], keepCase: true, longs: Number, enums: String, defaults: true,
  });
  const v1 = grpc.loadPackageDefinition(definition).lineward.inspection.v1;
  const ca = fs.readFileSync(process.env.LINEWARD_CA || 'tls/ca.pem');
  const token = grpc.credentials.createFromMetadataGenerator((_, done) => {
    const metadata = new grpc.Metadata();
    metadata.set('authorization', `Bearer ${process.env.LINEWARD_TOKEN}`);
    done(null, metadata);
  });
  const credentials = grpc.credentials.combineChannelCredentials(grpc.credentials.createSsl(ca), token);
  const options = { 'grpc.keepalive_time_ms': 20_000, 'grpc.max_reconnect_backoff_ms': 2000 };
  const services = [v1.StationService, v1.RecipeService, v1.LotService, v1.ResultService, v1.AuditService];
  const [station, recipes, lots, results, audit] = services.map((Service) => new Service(address, credentials, options));
  return { station, recipes, lots, results, audit };
}

// Make a call, and make it again while the station is away. A command has one request id through all of it: it is
// carried out once.
async function ask(service, method, request) {
  const named = 'request_id' in request ? { ...request, request_id: randomUUID() } : request;
  const until = Date.now() + AWAY_MS;
  for (;;) {
    try {
      return await new Promise((resolve, reject) => {
        const options = { deadline: Date.now() + LONG_MS };
        service[method](named, options, (error, answer) => (error ? reject(error) : resolve(answer)));
      });
    } catch (error) {
      if (error.code !== grpc.status.UNAVAILABLE || Date.now() > until || isUntrusted(error)) throw error;
      await pause(500);
    }
  }
}

function command(service, method, request) {
  return ask(service, method, { ...request, request_id: '' });
}

function isUntrusted(error) {
  return /certificate|ERR_TLS/i.test(error.details);
}

// Yield each record after a place once, in order, over broken connections and restarts of the station.
async function* watchResults(results, place) {
  for (;;) {
    const stream = results.WatchResults({ resume_token: place });
    try {
      for await (const response of stream) {
        place = response.resume_token;
        yield response;
      }
    } catch (error) {
      const passing = [grpc.status.UNAVAILABLE, grpc.status.CANCELLED, grpc.status.RESOURCE_EXHAUSTED];
      if (!passing.includes(error.code) || isUntrusted(error)) throw error;
    } finally {
      stream.on('error', () => {}); // of our own leaving
      stream.cancel();
    }
    await pause(500);
  }
}

// Say why no part comes when something cut the lot off, for example a crash of the station.
function tellWhenInterrupted(lots, lot) {
  let was = '';
  return setInterval(() => {
    lots.GetLot({ lot }, { deadline: Date.now() + LOOK_MS }, (error, answer) => {
      const state = error ? was : answer.lot.state; // an error of the station is told by the watch of the results
      if (state === 'LOT_STATE_INTERRUPTED' && state !== was) {
        console.log(`lot     ${lot} is INTERRUPTED: an operator, integrator or admin has to ResumeLot`);
      }
      was = state;
    });
  }, LOOK_MS);
}

// Book every record of the lot until enough parts came and one was rejected; return that one.
async function watch(results, lot) {
  const file = 'place-js';
  const place = fs.existsSync(file) ? fs.readFileSync(file, 'ascii').trim() : '';
  let count = 0;
  let reject = null;
  for await (const { result, resume_token: next } of watchResults(results, place)) {
    if (result.lot === lot) { // here the MES writes the part into its own books, and then its place in the records
      count += 1;
      if (!reject && result.verdict === 'VERDICT_REJECT' && result.has_image) reject = result;
    }
    fs.writeFileSync(`${file}.new`, `${next}\n`, { flush: true });
    fs.renameSync(`${file}.new`, file);
    if (count >= PLANNED && reject) break;
  }
  console.log(`watched ${count} parts; part ${reject.part} is REJECT, ${reject.reason}, ${reject.defect_class}`);
  return reject;
}

async function image(results, sequence) {
  const pieces = [];
  for await (const piece of results.GetResultImage({ sequence }, { deadline: Date.now() + LONG_MS })) pieces.push(piece);
  const data = Buffer.concat(pieces.map((piece) => piece.data));
  const digest = createHash('sha256').update(data).digest('hex');
  if (digest !== pieces[0].sha256) throw new Error(`the image of record ${sequence} is not what was recorded`);
  console.log(`image   ${pieces[0].content_type}, ${data.length} bytes, sha256 ${digest.slice(0, 12)}…`);
  return data;
}

async function runLot({ station, recipes, lots, results, audit }, lot) {
  const { ref } = (await command(recipes, 'CreateRecipe', { name: 'tiles', text: RECIPE })).recipe;
  await command(station, 'PrepareRecipe', { name: ref.name, version: ref.version });
  console.log(`recipe  ${ref.name} version ${ref.version} is prepared`);

  const order = { lot, recipe: 'tiles', planned: PLANNED, parameters: { order: '4711' } };
  await command(lots, 'StoreLot', { order });
  await command(lots, 'StartLot', { lot });
  console.log(`lot     ${lot} is running`);

  const looking = tellWhenInterrupted(lots, lot);
  const reject = await watch(results, lot).catch((error) => {
    console.error(`lot     ${lot} runs on: this ends it with \`stop ${lot}\``);
    throw error;
  });
  clearInterval(looking);
  fs.writeFileSync('reject-js.jpg', await image(results, reject.sequence));
  const seen = { sequence: reject.sequence, verdict: 'VERDICT_REJECT', reviewer: 'kim', comment: 'chipped at the edge' };
  const { review } = await command(results, 'ReviewResult', seen);
  console.log(`review  entry ${review.entry} says REJECT, by ${review.reviewer}`);

  const ended = (await command(lots, 'StopLot', { lot })).lot;
  const { triggered, passed, rejected_by_reason: rejected } = ended.counters;
  console.log(`lot     ${ended.state}: ${triggered} parts, ${passed} passed, ${JSON.stringify(rejected)}`);

  const last = ended.steps.at(-1); // its stop, by this program as the station knows it
  const { entries } = await ask(audit, 'ListEntries', { kind: 'ENTRY_KIND_AUDIT', who: last.who, page_size: 6 });
  for (const entry of entries) {
    const { phase, request_id: id } = JSON.parse(entry.content);
    console.log(`log     entry ${entry.sequence}: ${entry.subject.split('/').pop()} ${phase}, request id ${id.slice(0, 8)}…`);
  }

  let report = null;
  for await (const progress of audit.VerifyRecords({})) report = progress.report || report;
  const kept = report.is_intact ? 'intact' : `NOT INTACT: ${report.problems}`;
  console.log(`proof   ${report.records} records, ${report.images} images, ${report.entries} entries: ${kept}`);
  const head = (await ask(results, 'GetResult', { sequence: last.record_sequence })).result;
  const hash = head.record_hash.slice(0, 12);
  console.log(`        keep with the lot: record ${head.sequence}, the last at its end, has hash ${hash}…`);
}

async function main() {
  const [address, word, lot, ...others] = process.argv.slice(2);
  if (!address || ![undefined, 'stop'].includes(word) || others.length || !process.env.LINEWARD_TOKEN) {
    throw new Error(USAGE);
  }
  const services = connect(address);
  if (lot) console.log((await command(services.lots, 'StopLot', { lot })).lot.state);
  else if (word) console.log((await command(services.station, 'Stop', {})).state);
  else await runLot(services, `lot-${randomUUID().slice(0, 8)}`);
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error.details || error.message);
    process.exit(1);
  },
);
