;; the export "f" is a function, and said to be an instance
(component binary "\00asm\0d\00\01\00\07\07\02\40\00\01\00\42\00\0a\06\01\00\01a\01\00\0b\09\01\00\01f\01\00\01\05\01")
