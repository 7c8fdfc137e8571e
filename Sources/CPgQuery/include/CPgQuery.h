#pragma once

// libpg_query: PostgreSQL's own parser as a library.

#include <stdbool.h>

#include <pg_query.h>

/// How this thread's parser and scanner read '…' from now on: with false, backslashes escape.
void pgweir_set_standard_conforming_strings(bool is_on);
