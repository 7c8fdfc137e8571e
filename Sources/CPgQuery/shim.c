#include "CPgQuery.h"
