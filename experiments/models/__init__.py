"""Models, layers, losses and learning rate schedules, in trax.

Once this is imported, so is trax with its repairs, by whatever `import trax`.
"""

import sys

from experiments.backend import trax_repairs

trax_repairs.mend_imports()
if 'trax' in sys.modules:
  trax_repairs.import_trax()
