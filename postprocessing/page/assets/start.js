'use strict';

hps.start();
