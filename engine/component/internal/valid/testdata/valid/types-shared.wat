(component (type $a (tuple u8 u8 u8 u8 u8 u8 u8 u8 u8 u8)) (type $b (tuple $a $a $a $a $a $a $a $a $a $a))
  (type $c (tuple $b $b $b $b $b $b $b $b $b $b)) (type $d (tuple $c $c $c $c $c $c $c $c $c $c)) (type (func (param "d" $d))))
