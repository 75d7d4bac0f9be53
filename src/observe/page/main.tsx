import { render } from 'preact';
import 'uplot/dist/uPlot.min.css';
import './style/tokens.css';
import './style/base.css';
import './style/shell.css';
import './style/table.css';
import './style/plot.css';
import './style/dialog.css';
import './style/screens.css';
import { App } from './view/app.js';
import { SignedIn } from './view/session.js';
import { initTheme } from './view/theme.js';

initTheme();
render(
  <SignedIn>
    <App />
  </SignedIn>,
  document.getElementById('page') as HTMLElement,
);
