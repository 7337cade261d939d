// The admin page. Its parts are asked for again and again, quickly while something is under way.

import { getStatus } from "./api.js";
import { getRecall, getResources, listCodes, listIndexes } from "./adminapi.js";
import { BuildForm } from "./adminbuild.js";
import { Failures } from "./adminfailures.js";
import { Indexes } from "./adminindexes.js";
import { Overview } from "./adminoverview.js";
import { RecallMeter } from "./adminrecall.js";
import { isActive } from "./adminwords.js";
import { byId } from "./dom.js";
import { notice } from "./notice.js";
import { Poller } from "./poller.js";

const QUICK = 2_000;
const SLOW = 10_000;
const SELDOM = 30_000;

let moving = false;

const overview = new Overview(byId("overview"));
const failures = new Failures(() => work.now());
const indexes = new Indexes(() => work.now());
const form = new BuildForm(() => work.now());
const meter = new RecallMeter(() => measured.now());

const work = new Poller({
  load: () => Promise.all([getStatus(), listIndexes(), listCodes()]),
  show: showWork,
  fail,
  pace: () => (moving ? QUICK : SLOW),
});
const disk = new Poller({
  load: getResources,
  show: (found) => overview.showResources(found),
  fail,
  pace: () => SELDOM,
});
const measured = new Poller({
  load: () => getRecall(meter.wanted),
  show: (found) => meter.show(found),
  fail,
  pace: () => SELDOM,
});

for (const poller of [work, disk, measured]) poller.now();

function showWork([status, found, codes]) {
  notice(byId("notice"), "");
  const { images, queue } = status;
  moving = images.pending > 0 || queue.waiting > 0 || found.some(isActive);
  overview.showStatus(status);
  indexes.show(found);
  form.learn(found);
  failures.show(codes);
}

// The page goes on trying, and what it shows is what was known last.
function fail(error) {
  notice(byId("notice"), error.message, { wrong: true });
}
