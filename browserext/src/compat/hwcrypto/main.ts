// SPDX-License-Identifier: GPL-3.0-or-later
import { Agent } from '../agent.js';
import { tokenSigning } from './face.js';

// The real extension puts its class in the same place, whenever it comes, and it stays.
if (!('TokenSigning' in window)) {
  Object.defineProperty(window, 'TokenSigning', { configurable: true, enumerable: false, writable: true, value: tokenSigning(new Agent('persten-hwcrypto')) });
}
