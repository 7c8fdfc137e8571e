#include "CPgQuery.h"

// PostgreSQL's setting, which libpg_query keeps for each thread and does not declare.
extern __thread bool standard_conforming_strings;

void pgweir_set_standard_conforming_strings(bool is_on) { standard_conforming_strings = is_on; }
