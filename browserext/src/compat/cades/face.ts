// SPDX-License-Identifier: GPL-3.0-or-later
import { Agent } from '../agent.js';
import { Model } from '../model.js';
import { translate } from './errors.js';
import { Digests } from './digests.js';

/** What every object of the face needs: the agent, the model it lives in, and what the page had hashed. */
export class Face {
  readonly agent = new Agent('persten-cades');
  readonly model = new Model(translate);
  readonly digests = new Digests();
}
