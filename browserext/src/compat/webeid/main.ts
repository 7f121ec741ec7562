// SPDX-License-Identifier: GPL-3.0-or-later
import { Agent } from '../agent.js';
import { WebEidFace } from './face.js';

new WebEidFace(window, new Agent('persten-webeid'));
