#include "../math/logistic_mixture.h"

#include "../loops/planes_cpu.h"
#include "../task.h"

PYVAE_CPU_TASK(grey_logistic_mixture, Planes, planes_loop<GreyLogistic, float>,
               planes_loop<GreyLogistic, double>)
PYVAE_CPU_TASK(colour_logistic_mixture, Planes, planes_loop<ColourLogistic, float>,
               planes_loop<ColourLogistic, double>)
