;; a core module is nothing that core modules import or export
(component binary "\00asm\0d\00\01\00\01\08\00asm\01\00\00\00\02\07\01\01\01\01a\11\00")
