;; a type has more than 1000000 parts
(component (type $a (tuple u8 u8 u8 u8 u8 u8 u8 u8 u8 u8)) (type $b (tuple $a $a $a $a $a $a $a $a $a $a))
  (type $c (tuple $b $b $b $b $b $b $b $b $b $b)) (type $d (tuple $c $c $c $c $c $c $c $c $c $c))
  (type $e (tuple $d $d $d $d $d $d $d $d $d $d)) (type $f (tuple $e $e $e $e $e $e $e $e $e $e)))
