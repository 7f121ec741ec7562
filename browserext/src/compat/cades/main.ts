// SPDX-License-Identifier: GPL-3.0-or-later
import { Face } from './face.js';
import { enter, type CadesWindow } from './page.js';
import { plugin } from './plugin.js';

const face = new Face();
enter(window as unknown as CadesWindow, plugin(face), () => face.agent.there());
