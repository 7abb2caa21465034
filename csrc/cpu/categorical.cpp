#include "../math/categorical.h"

#include "../loops/classes_cpu.h"
#include "../task.h"

PYVAE_CPU_TASK(categorical_log_prob, ClassRows, class_rows<Categorical, float>,
               class_rows<Categorical, double>)
