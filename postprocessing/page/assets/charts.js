/* The charts, by Plotly. */
'use strict';
