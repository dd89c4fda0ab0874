#pragma once

/* What to say to whom it may concern. */
const char *greeting(void);
